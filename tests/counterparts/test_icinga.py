#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real icinga2, and a real nagios4 where there is one, run check_spguard from the
definitions in conf/monitoring/, unmodified, and show the state of a real spguardd.

Icinga runs as its own user, so that it asks as a member of the socket's group.
"""
import base64
import grp
import json
import os
import pwd
import shutil
import ssl
import subprocess

from support import (CHECK_SPGUARD, MONITORING, PATH, Product, Service, SystemTest,
                     free_ports, http_json, main, program)

ICINGA = """
include <itl>
const PluginDir = "{plugins}"
const NodeName = "here"
const ZoneName = NodeName
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object IcingaApplication "app" {{ vars.spguard_socket = "{socket}" }}
object CheckerComponent "checker" {{ }}
object ApiListener "api" {{ bind_host = "127.0.0.1"; bind_port = {port} }}
object ApiUser "test" {{ password = "test"; permissions = [ "*" ] }}
include "{shipped}/spguard-command.conf"
include "{shipped}/spguard-services.conf"
"""

NAGIOS_MAIN = """
cfg_file={shipped}/spguard.cfg
cfg_file={here}/rest.cfg
resource_file={here}/resource.cfg
object_cache_file={here}/objects.cache
precached_object_file={here}/objects.precache
status_file={here}/status.dat
status_update_interval=1
temp_file={here}/nagios.tmp
temp_path={here}
log_file={here}/nagios.log
log_archive_path={here}
check_result_path={here}/results
state_retention_file={here}/retention.dat
lock_file={here}/nagios.lock
command_file={here}/nagios.cmd
query_socket={here}/nagios.qh
check_external_commands=1
nagios_user={user}
nagios_group={group}
illegal_macro_output_chars=`~$&|'"<>
debug_file={here}/nagios.debug
host_perfdata_file={here}/host.perf
service_perfdata_file={here}/service.perf
"""

NAGIOS_REST = """
define timeperiod {
    timeperiod_name 24x7
    alias           always
    sunday          00:00-24:00
    monday          00:00-24:00
    tuesday         00:00-24:00
    wednesday       00:00-24:00
    thursday        00:00-24:00
    friday          00:00-24:00
    saturday        00:00-24:00
}
define command {
    command_name nobody
    command_line /bin/true
}
define contact {
    contact_name                  nagiosadmin
    host_notification_period      24x7
    service_notification_period   24x7
    host_notification_commands    nobody
    service_notification_commands nobody
}
"""


class CounterpartTest(SystemTest):
    """A daemon that a user other than root may ask, and a directory of that user."""

    def start(self, user):
        try:
            self.user = pwd.getpwnam(user)
        except KeyError:
            self.skipTest(f"there is no user {user}")
        self.group = grp.getgrgid(self.user.pw_gid).gr_name
        os.chmod(self.scratch, 0o755)
        self.dll = self.file("Mdbperf.dll")
        self.file("Gwperf.dll")
        self.spguardd = self.daemon(
            Product("exchange55", self.bin, title="Microsoft Exchange Server 5.5"),
            daemon_keys={"group": self.group})
        self.plugins = self.directory("plugins")
        shutil.copy(CHECK_SPGUARD, self.plugins)

    def own(self, *parts):
        path = self.directory(*parts)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path


class Icinga(CounterpartTest):
    SERVICE = "exchange-server!spguard-exchange55"

    def setUp(self):
        super().setUp()
        self.program = program("icinga2")
        self.start("nagios")
        self.data = self.own("data")
        self.env = {"PATH": PATH, "ICINGA2_USER": "nagios", "ICINGA2_GROUP": self.group}
        for name in "CACHE", "LOG", "INIT_RUN":
            self.env[f"ICINGA2_{name}_DIR"] = self.own(name.lower())
        self.defines = [f"-DDataDir={self.data}", f"-DCacheDir={self.path('cache')}",
                        f"-DLogDir={self.path('log')}", f"-DInitRunDir={self.path('init_run')}",
                        f"-DPidPath={self.path('init_run', 'icinga2.pid')}",
                        f"-DVarsPath={self.path('cache', 'icinga2.vars')}",
                        f"-DStatePath={self.path('data', 'icinga2.state')}",
                        f"-DModAttrPath={self.path('data', 'modified.conf')}",
                        f"-DObjectsPath={self.path('cache', 'icinga2.debug')}"]
        self.make_certificates()
        self.port, = free_ports(1)
        self.config = self.path("icinga2.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(ICINGA.format(plugins=self.plugins, socket=self.spguardd.socket,
                                  port=self.port, shipped=f"{MONITORING}/icinga2"))

    def icinga2(self, *args):
        done = subprocess.run([self.program, *args, *self.defines], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def make_certificates(self):
        """The API speaks TLS only."""
        certs = self.own("data", "certs")
        self.icinga2("pki", "new-ca")
        self.icinga2("pki", "new-cert", "--cn", "here", "--key", f"{certs}/here.key",
                     "--csr", f"{certs}/here.csr")
        self.icinga2("pki", "sign-csr", "--csr", f"{certs}/here.csr",
                     "--cert", f"{certs}/here.crt")
        shutil.copy(f"{self.data}/ca/ca.crt", certs)
        for folder, _, names in os.walk(self.data):
            for name in [".", *names]:
                os.chown(os.path.join(folder, name), self.user.pw_uid, self.user.pw_gid)
        self.tls = ssl.create_default_context(cafile=f"{certs}/ca.crt")
        self.tls.check_hostname = False

    def api(self, path, data=None):
        headers = {"Accept": "application/json", "Authorization":
                   "Basic " + base64.b64encode(b"test:test").decode()}
        return http_json(f"https://127.0.0.1:{self.port}/v1/{path}", headers=headers,
                         data=None if data is None else json.dumps(data).encode(),
                         context=self.tls)

    def checked(self, state):
        """The result of a check, forced now, once Icinga shows it in @state."""
        def ask():
            if not self.api("actions/reschedule-check", {
                    "type": "Service", "service": self.SERVICE, "force": True}):
                return None
            result = self.api(f"objects/services/{self.SERVICE}")
            result = result and result["results"][0]["attrs"]["last_check_result"]
            return result if result and result["state"] == state else None
        return self.icinga.until(f"state {state}", ask)

    def test_shipped_definitions_show_the_state(self):
        self.assertIn("1 Service", self.icinga2("daemon", "-C", "-c", self.config))
        self.icinga = Service(self, [self.program, "daemon", "-c", self.config,
                                     *self.defines], env=self.env)
        safe = self.checked(0)
        self.assertTrue(safe["output"].startswith("SPGUARD OK: Microsoft Exchange Server 5.5"),
                        safe)
        self.assertEqual(safe["performance_data"][0], "blocked=0;;;0;2")
        self.assertRegex(safe["performance_data"][1], r"^proof_age=[0-9.]+s;;;0;$")
        self.assertEqual(safe["command"][0], f"{self.plugins}/check_spguard")

        holder = self.hold("mapped", self.dll)
        blocked = self.checked(2)
        self.assertIn("Mdbperf.dll is mapped by holder", blocked["output"])
        self.assertIn(f"do: kill {holder.pid}", blocked["output"])
        self.assertEqual(blocked["performance_data"][0], "blocked=1;;;0;2")
        holder.release()
        self.checked(0)

        self.spguardd.stop()
        gone = self.checked(2)  # the definition says that no daemon is critical
        self.assertIn("no daemon", gone["output"])
        self.assertIn("systemctl start spguardd", gone["output"])


class Nagios(CounterpartTest):
    def test_shipped_definitions_show_the_state(self):
        nagios = program("nagios4", "nagios")
        self.start("nagios")
        here = self.own("nagios")
        self.own("nagios", "results")
        config = os.path.join(here, "nagios.cfg")
        for name, text in (
                ("nagios.cfg", NAGIOS_MAIN.format(
                    here=here, shipped=f"{MONITORING}/nagios", user=self.user.pw_name,
                    group=self.group)),
                ("rest.cfg", NAGIOS_REST), ("resource.cfg", f"$USER1$={self.plugins}\n")):
            with open(os.path.join(here, name), "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([nagios, "-v", config], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"Total Warnings: +0\n")
        service = Service(self, [nagios, config], env={
            "PATH": PATH, "SPGUARD_SOCKET": self.spguardd.socket})
        commands = os.path.join(here, "nagios.cmd")

        def checked(state):
            def ask():
                if not os.path.exists(commands):
                    return None
                with open(commands, "w", encoding="ascii") as f:
                    f.write("[0] SCHEDULE_FORCED_SVC_CHECK;exchange-server;"
                            "Service pack for exchange55;0\n")
                return self.status_of(os.path.join(here, "status.dat"), state)
            return service.until(f"state {state}", ask)

        self.assertIn("SPGUARD OK", checked(0)["plugin_output"])
        self.hold("mapped", self.dll)
        blocked = checked(2)
        self.assertIn("Mdbperf.dll is mapped by holder", blocked["plugin_output"])
        self.assertIn("'blocked'=1;;;0;2", blocked["performance_data"])

    @staticmethod
    def status_of(path, state):
        """The service's block of status.dat, when it was checked and is in @state."""
        try:
            with open(path, encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            return None
        for block in text.split("servicestatus {")[1:]:
            values = dict(line.strip().split("=", 1) for line in
                          block.split("}")[0].splitlines() if "=" in line)
            if values["has_been_checked"] == "1" and values["current_state"] == str(state):
                return values
        return None


if __name__ == "__main__":
    main()
