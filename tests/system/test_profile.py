#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguard profile of what this machine has: of a real package, by the real dpkg, taken by
a real daemon, whose answers are then right; and of a process. The shipped profiles, with
the real programs running; what is not installed skips."""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import time

from support import FAIL_AFTER, SPGUARD, SPGUARDD, SystemTest, main

PACKAGES = ("nginx", "apache2", "postgresql-15", "mariadb-server", "samba",
            "openjdk-17-jre-headless", "python3.11", "coreutils", "libc6", "perl")


def installed(package):
    if not shutil.which("dpkg-query"):
        return False
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
                          capture_output=True, text=True)
    return done.stdout.startswith("installed")


class ProfileTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.file("other.dll")
        self.products = self.directory("home", "products")

    def serve(self):
        return self.daemon(daemon_keys={"include": "products/*.conf"})

    def install(self, daemon, *args):
        return daemon.run("profile", *args, "--install", "--products-dir", self.products)

    def test_every_package_is_taken(self):
        """What is made of one passes the check of the configuration."""
        daemon = self.daemon(start=False, daemon_keys={"include": "products/*.conf"})
        there = [package for package in PACKAGES if installed(package)]
        if not there:
            self.skipTest("no package of dpkg here")
        for package in there:
            with self.subTest(package):
                made = subprocess.run([SPGUARD, "profile", "--package", package],
                                      capture_output=True, text=True, timeout=FAIL_AFTER)
                self.assertEqual((made.returncode, made.stderr), (0, ""))
                with open(os.path.join(self.products, "x.conf"), "w", encoding="utf-8") as out:
                    out.write(made.stdout)
                done = subprocess.run([SPGUARDD, "--config", daemon.config, "--check-config"],
                                      capture_output=True, text=True, timeout=FAIL_AFTER)
                self.assertEqual(done.returncode, 0, done.stderr + made.stdout)

    def test_a_package(self):
        if not installed("nginx"):
            self.skipTest("nginx is not installed")
        daemon = self.serve()
        code, out, err = self.install(daemon, "--package", "nginx")
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("Written: ", out)
        answer = daemon.check("--product", "nginx", "--all")
        self.assert_verdict(answer, "safe")
        paths = {entry["path"] for entry in answer["files"]}
        self.assertIn("/usr/sbin/nginx", paths)
        # /usr/sbin is of everybody.
        self.assertEqual([p for p in paths if not p.startswith("/usr/lib/nginx/modules/")],
                         ["/usr/sbin/nginx"])
        modules = sorted(paths - {"/usr/sbin/nginx"})
        for path in ["/usr/sbin/nginx", *modules[:2]]:
            holder = self.hold("mapped", path)
            answer = daemon.check("--product", "nginx")
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, path, holder.pid)
            holder.release()
            self.assert_verdict(daemon.check("--product", "nginx"), "safe")
        self.assertEqual(self.install(daemon, "--package", "nginx")[0], 0)

    def test_an_application(self):
        """By its process, and by its directory: the same answers."""
        program = self.program("shopd", self.directory("shop", "bin"))
        library = self.directory("shop", "lib")
        shutil.copy(shutil.which("true"), os.path.join(library, "libshop.so.1"))
        daemon = self.serve()
        holder = self.hold("read", self.file("data"), program=program)
        code, out, err = self.install(daemon, "--pid", holder.pid)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(self.install(daemon, "--name", "tree", self.path("shop"))[0], 0)
        for name in "shopd", "tree":
            answer = daemon.check("--product", name)
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, program, holder.pid)
        holder.kill()
        for name in "shopd", "tree":
            self.assert_verdict(daemon.check("--product", name), "safe")
        reader = self.hold("read", os.path.join(library, "libshop.so.1"))
        self.assert_verdict(daemon.check("--product", "tree"), "blocked")
        reader.kill()

    def test_refused(self):
        """By a daemon whose configuration has another fault: all is as before."""
        daemon = self.serve()
        with open(os.path.join(self.products, "bad.conf"), "w", encoding="utf-8") as out:
            out.write("[product bad]\nnonsense = 1\n")
        shop = self.directory("shop")
        self.program("shopd", shop)
        code, out, err = self.install(daemon, shop)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("bad.conf:2", err)
        self.assertEqual(os.listdir(self.products), ["bad.conf"])
        os.unlink(os.path.join(self.products, "bad.conf"))
        self.assertEqual(self.install(daemon, shop)[0], 0)
        self.assert_verdict(daemon.check("--product", "shop"), "safe")


PROFILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf", "profiles")


class ShippedTest(SystemTest):
    def serve(self, name, directory=None):
        """A daemon with the shipped profile @name; skips where that is not installed."""
        home = self.directory("home")
        with open(os.path.join(PROFILES, name + ".conf"), encoding="utf-8") as profile:
            text = profile.read()
        if directory:
            text = text.replace("/srv/app/venv/lib", directory)
        with open(os.path.join(home, name + ".conf"), "w", encoding="utf-8") as out:
            out.write(text)
        for line in text.splitlines():
            if line.startswith("directory = ") and not os.path.isdir(line[12:]):
                self.skipTest(f"{line[12:]} is not installed")
        self.file("other.dll")
        daemon = self.daemon(daemon_keys={"include": name + ".conf"})
        checked = subprocess.run([SPGUARDD, "--config", daemon.config, "--check-config"],
                                 capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        return daemon

    def used(self, daemon, product, program, child):
        """The answer, once @program uses a file of the product."""
        for _ in range(int(FAIL_AFTER * 10)):
            answer = daemon.check("--product", product, "--all")
            if any(use["name"] == program for entry in answer["files"]
                   for use in entry.get("uses", [])):
                return answer
            self.assertIsNone(child.poll(), "it has ended")
            time.sleep(0.1)
        self.fail(f"no use by {program}\n{self.show(answer)}")

    def start(self, *command, user=None):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, user=user, group=user,
                                 extra_groups=[] if user else None, start_new_session=True)

        def end():
            try:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(FAIL_AFTER)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(FAIL_AFTER)
        self.addCleanup(end)
        return child

    def tried(self, name, program, path, *command, products=None, user=None, blocks=False):
        """At rest it is safe; setup's own server does not block, or does where nothing
        stops it; another process that has one of the files does, with advice."""
        daemon = self.serve(name)
        products = products or [name]
        for product in products:
            self.assert_verdict(daemon.check("--product", product), "safe")
        path = os.path.realpath(sorted(glob.glob(path))[0])
        holder = self.hold("mapped", path)
        answer = daemon.check("--product", products[0])
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, path, holder.pid)
        self.assertTrue(self.file_of(answer, path).get("advice"), self.show(answer))
        holder.kill()
        child = self.start(*command, user=user)
        for product in products:
            answer = self.used(daemon, product, program, child)
            # In the lower tier nobody can say that a stopped program is alone.
            self.assert_verdict(answer, "blocked" if blocks else
                                "safe" if daemon.tier() == "bpf" else "unknown")

    def user(self, name):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            self.skipTest(f"no user {name} here")

    def owned(self, uid, *parts):
        """A directory of the user's, who may pass those above."""
        path = self.directory(*parts)
        os.chown(path, uid, uid)
        os.chmod(self.scratch, 0o755)
        return path

    def test_nginx(self):
        if not installed("nginx"):
            self.skipTest("nginx is not installed")
        config = self.path("nginx.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"daemon off; pid {self.scratch}/pid; error_log {self.scratch}/log;\n"
                      "events {}\n")
        self.tried("nginx", "nginx", "/usr/sbin/nginx", "nginx", "-c", config)

    def test_apache2(self):
        if not installed("apache2"):
            self.skipTest("apache2 is not installed")
        config = self.path("apache.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"ServerRoot {self.scratch}\nPidFile {self.scratch}/pid\n"
                      f"ErrorLog {self.scratch}/log\nServerName localhost\n"
                      f"DefaultRuntimeDir {self.scratch}\nListen 127.0.0.1:39763\n"
                      "User www-data\nGroup www-data\n"
                      "LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n"
                      "LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n")
        self.tried("apache2", "apache2", "/usr/lib/apache2/modules/mod_mpm_event.so",
                   "/usr/sbin/apache2", "-f", config, "-DFOREGROUND")

    def test_postgresql(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not programs:
            self.skipTest("postgresql is not installed")
        uid = self.user("postgres")
        data = self.owned(uid, "data")
        done = subprocess.run([os.path.dirname(programs[-1]) + "/initdb", "-N", "-D", data],
                              user=uid, group=uid, extra_groups=[], capture_output=True,
                              timeout=120, cwd=data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.tried("postgresql", "postgres", "/usr/lib/postgresql/*/lib/plpgsql.so", programs[-1],
                   "-D", data, "-k", data, "-h", "", user=uid)

    def test_mariadb(self):
        if not installed("mariadb-server"):
            self.skipTest("mariadb-server is not installed")
        uid = self.user("mysql")
        data = self.owned(uid, "data")
        done = subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql",
                               "--datadir=" + data], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.tried("mariadb", "mariadbd", "/usr/lib/mysql/plugin/ha_*.so", "/usr/sbin/mariadbd",
                   "--no-defaults", "--datadir=" + data, "--socket=" + data + "/s",
                   "--skip-networking", "--user=mysql")

    def test_openjdk(self):
        if not glob.glob("/usr/lib/jvm/*/bin/java"):
            self.skipTest("no Java is installed")
        code = self.path("Wait.java")
        with open(code, "w", encoding="utf-8") as out:
            out.write("class Wait { public static void main(String[] a) throws Exception {"
                      " Thread.sleep(300000); } }\n")
        if not shutil.which("javac"):
            self.skipTest("no compiler for Java")
        self.tried("openjdk", "java", "/usr/lib/jvm/*/lib/libjava.so", "java", code, blocks=True)

    def test_samba(self):
        if not installed("samba"):
            self.skipTest("samba is not installed")
        config = self.path("smb.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write("[global]\nsmb ports = 39764\ninterfaces = 127.0.0.1\n"
                      "bind interfaces only = yes\n" + "".join(
                          f"{key} directory = {self.scratch}\n"
                          for key in ("lock", "state", "cache", "pid", "private"))
                      + f"ncalrpc dir = {self.scratch}/rpc\nlog file = {self.scratch}/log\n")
        self.tried("samba", "smbd", "/usr/lib/*/samba/libauth-samba4.so.0", "/usr/sbin/smbd", "-F",
                   "--no-process-group", "-s", config, products=["samba", "samba-programs"])

    def test_python(self):
        """Of a virtual environment as venv makes it, with a compiled module."""
        made = subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip",
                               self.path("venv")], capture_output=True, timeout=60)
        if made.returncode != 0:
            self.skipTest("no python3-venv")
        packages = glob.glob(self.path("venv", "lib", "python3*", "site-packages"))[0]
        source = sorted(glob.glob("/usr/lib/python3*/lib-dynload/_json.*.so"))
        if not source:
            self.skipTest("no compiled module to copy")
        target = os.path.join(packages, os.path.basename(source[0]))
        shutil.copy(source[0], target)
        daemon = self.serve("python-venv", self.path("venv", "lib"))
        self.assert_verdict(daemon.check("--product", "python-venv"), "safe")
        child = self.start(self.path("venv", "bin", "python"), "-c",
                           f"import sys, time; sys.path.insert(0, {packages!r}); import _json; "
                           "time.sleep(300)")
        answer = self.used(daemon, "python-venv", "python", child)
        self.assert_verdict(answer, "blocked")
        self.assertTrue(self.file_of(answer, target).get("advice"), self.show(answer))


if __name__ == "__main__":
    main()
