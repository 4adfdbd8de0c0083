#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguard profile, with made-up package managers, units and processes; what it prints
has to pass spguardd --check-config.

By hand: SPGUARD_BUILD=build python3 tests/component/test_profile.py
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from client_run import BUILD, ENV, ROOT, ask, run
from fake_daemon import Error

DAEMON = os.path.join(BUILD, "daemon", "spguardd")
with open("/proc/self/exe", "rb") as program:
    ELF = program.read(4096)
SCRIPT = "#!/bin/sh\n"
RESTARTS = '''if [ "$1" = "configure" ]; then
	if [ -d /run/systemd/system ]; then
		if [ -n "$2" ]; then
			_dh_action=restart
		else
			_dh_action=start
		fi
		deb-systemd-invoke $_dh_action 'shop.service' >/dev/null || true
	fi
fi
'''
STOPS_ON_REMOVAL = '''if [ -z "${DPKG_ROOT:-}" ] && [ "$1" = remove ] && [ -d /run/systemd/system ] ; then
	deb-systemd-invoke stop 'shop.service' >/dev/null || true
fi
'''
STOPS = STOPS_ON_REMOVAL.replace('[ "$1" = remove ] && ', "")


class ProfileTest(unittest.TestCase):
    def setUp(self):
        self.home = os.path.realpath(tempfile.mkdtemp(prefix="spguard-profile-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.bin = self.directory("fake-bin")
        self.products = self.directory("products")
        self.app = self.directory("app")
        self.rows, self.lists, self.scripts, self.owners = [], {}, {}, ""

    def directory(self, *parts):
        path = os.path.join(self.home, *parts)
        os.makedirs(path, exist_ok=True)
        return path

    def file(self, *parts, content=ELF):
        path = os.path.join(self.home, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content.encode() if isinstance(content, str) else content)
        return path

    def tool(self, name, text):
        path = self.file("fake-bin", name, content=text)
        os.chmod(path, 0o755)

    def package(self, name, files, needs="", provides="", version="1.2-3", source=None,
                status="installed", prerm=None, postinst=None):
        self.rows.append("\t".join([name, source or name, version, version, status, ", " + needs,
                                    provides]))
        self.lists[name] = "".join(f + "\n" for f in files)
        if prerm:
            self.scripts[name + " prerm"] = prerm
        if postinst:
            self.scripts[name + " postinst"] = postinst

    def dpkg(self):
        """Put the packages into a made-up dpkg-query, which a shell script is."""
        data = self.directory("dpkg")
        self.file("dpkg", "all", content="".join(r + "\n" for r in self.rows))
        self.file("dpkg", "owners", content=self.owners)
        for name, text in self.lists.items():
            self.file("dpkg", "list " + name, content=os.fsencode(text))
        for name, text in self.scripts.items():
            self.file("dpkg", "script " + name, content=text)
        self.tool("dpkg-query", f'''#!/bin/sh
cd {data}
case $1 in
-W) cat all ;;
-L) shift 2; for p; do cat "list $p"; done ;;
-S) cat owners ;;
--control-show) cat "script $2 $3" ;;
esac
''')

    def profile(self, *args, path=None):
        if "--profiles-dir" not in args:
            args = (*args, "--profiles-dir", self.home + "/none")
        return run("profile", *args, env={"PATH": path or self.bin + ":" + ENV["PATH"]})

    def taken(self, *args, path=None):
        """The profile, and spguardd takes it."""
        done = self.profile(*args, path=path)
        self.assertEqual((done.code, done.err), (0, ""), done.out)
        self.accepted(done.out)
        return done.out

    def accepted(self, text):
        for line in text.splitlines():
            self.assertLessEqual(len(line.encode()), 197, line)
        self.file("products", "x.conf", content=text)
        config = self.file("spguard.conf", content=f"""[daemon]
include = products/*.conf
group =
database = {self.home}/db
socket = {self.home}/socket
""")
        done = subprocess.run([DAEMON, "--config", config, "--check-config"], timeout=30,
                              capture_output=True, text=True, env=ENV)
        self.assertEqual(done.returncode, 0, done.stderr + text)
        os.unlink(os.path.join(self.products, "x.conf"))

    @staticmethod
    def values(text, key):
        """All values of @key, continued lines joined."""
        found, taking = [], False
        for line in text.splitlines():
            if line.startswith(key + " = "):
                found.append(line[len(key) + 3:])
                taking = True
            elif taking and line.startswith(" "):
                found[-1] += " " + line.strip()
            else:
                taking = False
        return found


class Package(ProfileTest):
    def unit(self, program, name="shop.service"):
        return self.file("usr/lib/systemd/system", name,
                         content=f"[Service]\nType=simple\nExecStart=-{program} -g x\n")

    def test_one_with_its_companions(self):
        main = self.file("app/shopd")
        library = self.file("app/lib/libshop.so.1.2")
        plugin = self.file("app/plugins/pay.so")
        text = self.file("app/lib/notes.txt", content="not a module")
        unit = self.unit(main)
        self.package("shop", [main, text, "/."], needs="libc6 (>= 2), shop-libs (= 1.2-3)",
                     provides="shop-abi-7")
        self.package("shop-libs:amd64", [library], source="shop")
        self.package("shop-common", [unit], source="shop",
                     needs="shop (>= 1.2-3), shop (<< 1.2-3.1~)", postinst=RESTARTS,
                     prerm=STOPS_ON_REMOVAL)
        self.package("shop-pay", [plugin], needs="shop-abi-7", version="9")
        self.package("shop-old", [self.file("old/x.so")], needs="shop (>= 1)", source="shop")
        self.package("shop-gone", [self.file("gone/x.so")], needs="shop (= 1.2-3)",
                     source="shop", status="config-files")
        self.package("other", [self.file("other/x.so")], needs="shop (= 1.2-3)")
        self.dpkg()
        out = self.taken("--package", "shop")
        self.assertIn("[product shop]\n", out)
        self.assertEqual(self.values(out, "directory"),
                         [self.app, self.app + "/lib", self.app + "/plugins"])
        self.assertEqual(self.values(out, "files"), ["*.so *.so.* shopd"])
        self.assertEqual(self.values(out, "setup-stops"), ["shopd"])
        self.assertEqual(self.values(out, "replaced"), ["rename"])
        self.assertIn("shop-common stop it", out)
        self.assertNotIn("[advice", out)

    def test_who_is_stopped(self):
        """Only by scripts that do it when a package is replaced."""
        main = self.file("app/shopd")
        unit = self.unit(main)
        for prerm, postinst, stops in ((STOPS, None, True), (STOPS_ON_REMOVAL, None, False),
                                       (None, RESTARTS, True), (None, None, False),
                                       (None, RESTARTS.replace("restart", "start"), False),
                                       (None, RESTARTS.replace("shop.", "my-shop."), False),
                                       (None, "# deb-systemd-invoke restart shop.service\n", False),
                                       # Of another unit the one, of this one the other.
                                       (None, RESTARTS.replace("shop.", "x.") +
                                        RESTARTS.replace("=restart", "=start"), False),
                                       # Of somebody's own: when that is, nobody can say.
                                       ("case $1 in\nremove)\n\tdeb-systemd-invoke stop "
                                        "shop.service\nesac\n", None, False)):
            with self.subTest(prerm=prerm, postinst=postinst):
                self.rows, self.lists, self.scripts = [], {}, {}
                shutil.rmtree(os.path.join(self.home, "dpkg"), ignore_errors=True)
                self.package("shop", [main, unit], prerm=prerm, postinst=postinst)
                self.dpkg()
                out = self.taken("--package", "shop")
                self.assertEqual(self.values(out, "setup-stops"), ["shopd"] if stops else [])
                self.assertEqual(self.values(out, "say"),
                                 [] if stops else ["systemctl stop shop.service"])
                self.assertEqual("\n[advice *]\nproduct = shop\n" in out, not stops)

    def test_what_a_unit_runs(self):
        main = self.file("app/shopd")
        script = self.file("app/start", content=SCRIPT)
        units = [self.file("usr/lib/systemd/system", name + ".service", content=text)
                 for name, text in (
                     ("shell", f"[Service]\nExecStart=/bin/sh -c \"x || \\\n  exec {main} $A\"\n"),
                     ("script", f"[Service]\nExecStart={script} {main}d\n"),
                     ("once", f"[Service]\nType=oneshot\nExecStart={script}\n"),
                     ("none", "[Service]\nExecStart=\n"), ("shop@", f"[Service]\nExecStart={main}\n"))]
        alias = os.path.join(os.path.dirname(units[0]), "alias.service")
        os.symlink("shell.service", alias)
        self.package("shop", [main, script, alias, *units],
                     postinst="\n".join(RESTARTS.replace("shop.", name + ".")
                                        for name in ("shell", "script", "alias")))
        self.dpkg()
        out = self.taken("--package", "shop")
        self.assertEqual(self.values(out, "setup-stops"), ["shopd"])
        self.assertIn("shell.service: the scripts", out)
        # Whom a script starts, and ends, nobody can say.
        self.assertEqual(self.values(out, "say"), ["systemctl stop script.service"])
        self.assertIn("shop@.service is a template", out)

    def test_a_directory_of_others(self):
        """Whose files would match a wildcard, too."""
        own = self.file("app/lib/mine.so")
        self.file("app/lib/theirs.so")
        self.owners = f"stranger, friend: {self.app}/lib/theirs.so\nhostile\x1b: /x\n"
        for needs, files in ("libc6", "mine.so"), ("shop", "*.so"):
            with self.subTest(needs=needs):
                self.rows = []
                self.package("shop", [own])
                self.package("stranger", [], needs=needs)
                self.dpkg()
                self.assertEqual(self.values(self.taken("--package", "shop"), "files"), [files])
        # One of the same release is of the application itself.
        self.rows = []
        self.package("shop", [own])
        self.package("stranger", [self.app + "/lib/theirs.so", self.file("app/more/other.dll.x")],
                     source="shop")
        self.dpkg()
        out = self.taken("--package", "shop")
        self.assertEqual(self.values(out, "files"), ["*.so other.dll.x"])
        self.assertIn("The files of: shop, stranger.", out)

    def test_a_shared_directory_names_files(self):
        shell = os.path.realpath(shutil.which("sh"))
        self.package("shop", [shell, self.file("app/a.so")])
        self.dpkg()
        out = self.taken("--package", "shop")
        self.assertIn(os.path.basename(shell), self.values(out, "files")[0].split())
        self.assertNotIn("*", self.values(out, "files")[0].split())
        self.assertIn("Shared with others", out)

    def test_diverted(self):
        self.package("shop", ["diverted by other to: " + self.file("app/moved"),
                              "package diverts others to: " + self.file("app/theirs")])
        self.dpkg()
        self.assertEqual(self.values(self.taken("--package", "shop"), "files"), ["moved"])

    def test_hostile_names(self):
        names = ["new\nline", "esc\x1b[2J", "two words", "a;b", " ;c", "#d", "=e", "x=y", "*", "[a]",
                 "\udcff\udcfe", "‮evil", "n" * 250, "comma,d", "-dash", "tab\there", "\\back"]
        files = [self.file("app", os.fsencode(n).decode("utf-8", "surrogateescape")) for n in names]
        for bad in "di;r", "di\nr", "d\x1b", "  blanks  ", "l" * 200, "\udcff":
            files.append(self.file("app", bad, "z.so"))
        self.package("shop", files)
        self.dpkg()
        out = self.taken("--package", "shop")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("‮", out)
        patterns = self.values(out, "files")[0].split()
        for pattern in "two?words", "x?y", "?d", "?e", "-dash":
            self.assertIn(pattern, patterns)
        self.assertIn(self.app, self.values(out, "directory"))
        self.assertRegex(out, r"# [2-6] files are left out")

    def test_thousands_of_files(self):
        files = [f"{self.app}/d{i % 100}/none-{i}" for i in range(50000)]
        files += [self.file("app", f"program-{i}") for i in range(1500)]
        self.package("shop", files)
        self.dpkg()
        self.assertEqual(len(self.values(self.taken("--package", "shop"), "files")[0].split()), 1500)
        self.package("shop2", [self.file("app2", f"program-{i}") for i in range(2500)])
        self.dpkg()
        done = self.profile("--package", "shop2")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("too many for a profile", done.err)

    def test_garbage(self):
        for text in "", "garbage\n", "\t" * 50 + "\n", "shop\t\t\t\tinstalled\n", \
                "-rf\ta\t1\t1\tinstalled\t\t\n", "\xff\x00\x01\n" * 1000:
            self.tool("dpkg-query", SCRIPT)
            self.file("garbage", content=text.encode("latin-1"))
            self.tool("dpkg-query", f"{SCRIPT}cat {self.home}/garbage\n")
            self.tool("rpm", f"{SCRIPT}cat {self.home}/garbage\nexit 1\n")
            done = self.profile("--package", "shop")
            self.assertEqual((done.code, done.out), (1, ""), text)
        self.tool("dpkg-query", SCRIPT + "exec yes shop\n")
        done = self.profile("--package", "shop")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("answers with more than", done.err)

    def test_a_hang_has_an_end(self):
        self.tool("dpkg-query", SCRIPT + "sleep 300 & sleep 300\n")
        began = time.monotonic()
        done = self.profile("--package", "shop", "--timeout", "1s")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("no answer within 1 s", done.err)
        self.assertLess(time.monotonic() - began, 20)

    def test_not_installed(self):
        self.package("shop", [], status="config-files")
        self.dpkg()
        self.tool("rpm", SCRIPT + "exit 1\n")
        for name in "shop", "nothing":
            done = self.profile("--package", name)
            self.assertEqual((done.code, done.out), (1, ""))
            self.assertIn(f"the package {name} is not installed", done.err)
            self.assertIn("hint: ", done.err)
        nobody = self.directory("empty")
        self.assertIn("not installed", self.profile("--package", "shop", path=nobody).err)
        for name in "--help-me", "a/b", "*", "", "a b", "x\ny":
            done = self.profile("--package=" + name)
            self.assertEqual((done.code, done.out), (2, ""), name)

    def test_nothing_that_is_in_use(self):
        self.package("shop", [self.file("app/notes", content="text")])
        self.dpkg()
        done = self.profile("--package", "shop")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("no program and no library", done.err)

    def test_rpm(self):
        main = self.file("app/shopd")
        unit = self.unit(main)
        self.tool("dpkg-query", SCRIPT + "exit 2\n")
        self.tool("rpm", f'''{SCRIPT}case "$1 $2" in
"-qa "*) printf 'shop\\tshop-1.src.rpm\\t\\t1-2.el9\\tinstalled\\tlibc (  ), \\tshop, \\n'
	printf 'shop-libs\\tshop-1.src.rpm\\t\\t1-2.el9\\tinstalled\\tshop ( = 3:1-2.el9), \\tx, \\n' ;;
"-ql "*) echo {main}; echo {unit}; echo "(contains no files)"; [ "$4" != shop-libs ] || echo {self.file("app/b.so")} ;;
"-q --scripts") echo "postuninstall scriptlet (using /bin/sh):"
	echo "if [ \\$1 -ge 1 ]; then"
	echo "    /usr/lib/systemd/systemd-update-helper mark-restart-system-units shop.service || :"
	echo "fi" ;;
esac
''')
        out = self.taken("--package", "shop")
        self.assertEqual(self.values(out, "files"), ["*.so shopd"])
        self.assertEqual(self.values(out, "setup-stops"), ["shopd"])
        self.assertIn("The files of: shop, shop-libs.", out)


class Unit(ProfileTest):
    def show(self, text, code=0):
        self.file("shown", content=text)
        self.tool("systemctl", f"{SCRIPT}cat {self.home}/shown\nexit {code}\n")

    def test_one(self):
        main = self.file("app/bin/shopd")
        self.file("app/bin/libshop.so")
        library = self.directory("app/lib")
        self.file("app/lib/libx.so.3")
        self.show(f"LoadState=loaded\nFragmentPath=/x/shop@.service\nEnvironment=A=b "
                  f"LD_LIBRARY_PATH={library}:relative C=d\n"
                  f"ExecStart={{ path={main} ; argv[]={main} -x ; ignore_errors=no }}\n")
        out = self.taken("--unit", "shop@a.service")
        self.assertIn("[product shop-a]\n", out)
        self.assertEqual(self.values(out, "directory"), [self.app + "/bin", library])
        self.assertEqual(self.values(out, "files"), ["*.so *.so.* shopd"])
        self.assertEqual(self.values(out, "library-path"), [library])
        self.assertEqual(self.values(out, "say"), ["systemctl stop shop@a.service"])
        self.assertIn("/x/shop@.service", out)

    def test_wrong(self):
        self.show("LoadState=not-found\n")
        done = self.profile("--unit", "shop.service")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("there is no unit shop.service", done.err)
        for name in "../x", "-H", "", "a b.service", "x\x1b.service", "y" * 300:
            done = self.profile("--unit=" + name)
            self.assertEqual((done.code, done.out), (1, ""), name)
            self.assertNotIn("\x1b", done.err)
        self.show("LoadState=loaded\nExecStart={ path=/bin/sh ; argv[]=/bin/sh }\n")
        done = self.profile("--unit", "shop")
        self.assertEqual(done.code, 1)
        self.assertIn("of the system", done.err)
        for text in "", "\xff" * 5000, "LoadState=loaded\nExecStart=\n", "ExecStart={ path=\n":
            self.show(text)
            self.assertEqual(self.profile("--unit", "shop").code, 1)

    def test_hang(self):
        self.tool("systemctl", SCRIPT + "exec sleep 300\n")
        done = self.profile("--unit", "shop", "--timeout", "1s")
        self.assertEqual(done.code, 1)
        self.assertIn("systemctl gave no answer within 1 s", done.err)


class Process(ProfileTest):
    def test_one(self):
        program = os.path.join(self.app, "bin", "holder")
        os.makedirs(os.path.dirname(program))
        shutil.copy(shutil.which("sleep"), program)
        with subprocess.Popen([program, "300"]) as child:
            try:
                for _ in range(1000):
                    if os.path.realpath(f"/proc/{child.pid}/exe") == program:
                        break
                    time.sleep(0.01)
                out = self.taken("--pid", str(child.pid))
            finally:
                child.kill()
        self.assertIn("[product holder]\n", out)
        self.assertEqual(self.values(out, "directory"), [self.app + "/bin"])
        self.assertEqual(self.values(out, "files"), ["holder"])
        self.assertIn("libraries of the system", out)

    def test_replaced(self):
        """What has the name now of what it runs is of the application too."""
        program = os.path.join(self.app, "holder")
        shutil.copy(shutil.which("sleep"), program)
        with subprocess.Popen([program, "300"]) as child:
            try:
                while os.path.realpath(f"/proc/{child.pid}/exe") != program:
                    time.sleep(0.01)
                os.unlink(program)
                self.assertEqual(self.profile("--pid", str(child.pid)).code, 1)
                shutil.copy(shutil.which("sleep"), program)
                out = self.taken("--pid", str(child.pid))
            finally:
                child.kill()
        self.assertEqual(self.values(out, "files"), ["holder"])

    def test_gone(self):
        with subprocess.Popen(["true"]) as child:
            pass
        done = self.profile("--pid", str(child.pid))
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn(f"process {child.pid}: there is none", done.err)
        for text in "0", "-1", "x", "99999999999999999999", "5000000":
            self.assertEqual(self.profile("--pid=" + text).code, 2, text)

    def test_an_interpreter_is_of_the_system(self):
        if os.path.dirname(os.path.realpath(sys.executable)) not in ("/usr/bin", "/bin"):
            self.skipTest("python is elsewhere")
        done = self.profile("--pid", str(os.getpid()))
        self.assertTrue(done.code == 1 or "is of the system" in done.out, done.out)


class Directory(ProfileTest):
    def test_a_tree(self):
        self.file("app/bin/shopd")
        self.file("app/lib/a/b/liba.so.1")
        self.file("app/java/x.jar", content=b"PK\3\4" + bytes(80))
        self.file("app/data.zip", content=b"PK\3\4" + bytes(80))
        self.file("app/made.o", content=ELF[:16] + b"\1\0" + ELF[18:])
        os.mkfifo(os.path.join(self.app, "fifo"))
        os.symlink("/usr/bin/env", os.path.join(self.app, "link"))
        os.symlink(self.app, os.path.join(self.app, "circle"))
        out = self.taken(self.app)
        self.assertIn("[product app]\n", out)
        self.assertEqual(self.values(out, "directory"), [self.app])
        self.assertEqual(self.values(out, "recursive"), ["yes"])
        self.assertEqual(self.values(out, "files"), ["*.jar *.so.* shopd"])
        self.assertNotIn("ignore-case", out)
        two = self.taken(self.app + "/bin", self.app + "/lib", "--name", "shop-2")
        self.assertIn("[product shop-2]\n", two)
        self.assertEqual(self.values(two, "directory"), [self.app + "/bin", self.app + "/lib"])
        self.assertIn("[product app]\n", self.taken(self.app + "/bin"))

    def test_advice_that_is_shipped(self):
        """Of the first profile that is about one of the programs; what it has setup stop is
        no more than said."""
        self.file("app/bin/shopd")
        shipped = self.directory("shipped")
        self.file("shipped/a-other.conf", content=f"""[product other]
directory = {self.app}
files = shopd
setup-stops = never
[advice *]
say = Never: shopd lies deeper.
""")
        self.file("shipped/shop.conf", content=f"""# The shop.
[product data]
directory = {self.app}
recursive = yes
files = *.db
[advice *]
product = data
say = Never: nothing here is data.

[product shop]
directory = {self.app}
recursive = yes
files = *.so
    shop?
setup-stops = shopd
    till
[advice shopd]
product = shop
say = Close the shop,
    and count the till.
[advice *]
product = shop
say = Ask.

[product last]
directory = {self.app}/bin
files = *
[advice *]
say = Never: there is one before it.
""")
        self.file("shipped/z.conf", content="[product shop]\ndirectory = /\nfiles = *\n")
        self.file("shipped/notes", content="no profile")
        out = self.taken(self.app, "--profiles-dir", shipped)
        self.assertEqual(self.values(out, "say"), ["Close the shop, and count the till.", "Ask."])
        self.assertNotIn("Never", out)
        self.assertEqual(self.values(out, "setup-stops"), [])
        said = " ".join(line.lstrip("# ") for line in out.splitlines() if line[:1] == "#")
        self.assertIn("That has setup-stops = shopd till: add the line here, if", said)
        self.assertIn(f"The advice is that of {shipped}/shop.conf.", said)
        self.assertNotIn("not known", said)
        for name in "bin/only.so", "only.so":
            self.assertNotIn("[advice", self.taken(
                os.path.dirname(self.file("other", name)), "--profiles-dir", shipped))
        for broken in b"\0\n[product", b"[product x]\nfiles", b"x" * 70000, b"":
            self.file("shipped/a.conf", content=broken)
            self.assertIn("Close the shop", self.taken(self.app, "--profiles-dir", shipped))
        self.assertNotIn("[advice", self.taken(self.app, "--profiles-dir", self.home + "/none"))

    def test_advice_and_a_service(self):
        """The command that stops the service that was seen counts more than a general word."""
        self.package("shop", [self.file("app/shopd"), self.file("app/shop.service", content=(
            f"[Service]\nExecStart={self.app}/shopd\n"))])
        self.dpkg()
        self.file("shipped/shop.conf", content=f"[product shop]\ndirectory = {self.app}\n"
                  "files = *\n[advice *]\nsay = Ask.\n[advice shopd]\nsay = Close it.\n")
        out = self.taken("--package", "shop", "--profiles-dir", self.home + "/shipped")
        says = self.values(out, "say")
        self.assertIn("Close it.", says)
        self.assertEqual(out.count("[advice *]"), 1, out)

    def test_windows(self):
        self.file("app/Store.EXE", content=b"MZ" + bytes(100))
        self.file("app/mdbperf.dll", content=b"MZ" + bytes(100))
        out = self.taken(self.app)
        self.assertEqual(self.values(out, "ignore-case"), ["yes"])
        self.assertEqual(self.values(out, "files"), ["*.EXE *.dll"])

    def test_wrong(self):
        for args, code, words in (
                ([self.home + "/none"], 1, "No such file"),
                ([self.file("plain")], 1, "no directory"),
                (["/usr/bin"], 1, "shared by all programs"),
                (["/"], 1, "shared by all programs"),
                ([self.directory("empty")], 1, "no program and no library"),
                ([self.directory("b;d")], 1, "no program"),
                (["relative"], 2, "not absolute"), ([], 2, "of what?"),
                ([self.app, "--pid", "1"], 2, "exclude each other"),
                ([self.app, "--force"], 2, "give that too"),
                ([self.app, "--install", "--products-dir", "x"], 2, "absolute")):
            done = self.profile(*args)
            self.assertEqual((done.code, done.out), (code, ""), args)
            self.assertIn(words, done.err)
            if code == 2:
                self.assertIn("hint: ", done.err)
        for name in "A", "", "a b", ".hidden", "x" * 65, "a/b", "ü", "a]":
            done = self.profile(self.app, "--name", name)
            self.assertEqual((done.code, done.out), (2, ""), name)
            self.assertIn("is no name of a product", done.err)

    def test_json(self):
        self.file("app/shopd")
        done = self.profile("--json", self.app)
        told = json.loads(done.out)
        self.assertEqual((told["product"], told["path"]), ("app", None))
        self.accepted(told["profile"])
        self.assertIn("error", json.loads(self.profile("--json", "/usr/bin").out))


class Install(ProfileTest):
    RELOADED = {"reloaded": True, "products": ["app"], "notes": []}

    def setUp(self):
        super().setUp()
        self.file("app/shopd")
        self.target = os.path.join(self.products, "app.conf")

    def install(self, *args, answers=None):
        answers = {"reload": self.RELOADED} if answers is None else answers
        return ask(answers, "profile", self.app, "--install", "--products-dir", self.products,
                   *args)

    def there(self):
        self.assertEqual([n for n in os.listdir(self.products) if n.startswith(".")], [])
        with open(self.target, encoding="utf-8") as there:
            return there.read()

    def test_written_and_read(self):
        done = self.install()
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn(f"Written: {self.target}\n", done.out)
        self.assertEqual(os.stat(self.target).st_mode & 0o777, 0o644)
        text = self.there()
        os.unlink(self.target)
        self.accepted(text)
        self.assertEqual(self.install().code, 0)
        again = self.install()
        self.assertEqual(again.code, 0)
        self.assertIn("Already there", again.out)
        self.assertEqual(json.loads(self.install("--json").out)["path"], self.target)

    def test_another_stays(self):
        self.file("products/app.conf", content="[product app]\ndirectory = /x\n")
        done = self.install()
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("is there already", done.err)
        self.assertIn("--force", done.err)
        self.assertIn("/x", self.there())
        self.assertEqual(self.install("--force").code, 0)
        self.assertNotIn("/x", self.there())

    def test_a_product_in_another_file(self):
        self.file("products/mine.conf", content="# x\n[product app]\ndirectory = /x\n")
        done = self.install("--force")
        self.assertEqual(done.code, 1)
        self.assertIn("mine.conf has a product app already", done.err)
        self.assertFalse(os.path.exists(self.target))

    def test_refused_is_taken_back(self):
        refusal = {"reload": Error(-32603, "b.conf:9: bad", "correct it")}
        done = self.install(answers=refusal)
        self.assertEqual(done.code, 1)
        self.assertIn("b.conf:9: bad", done.err)
        self.assertIn("as it was before", done.err)
        self.assertEqual(os.listdir(self.products), [])
        self.file("products/app.conf", content="[product app]\ndirectory = /x\n")
        self.assertEqual(self.install("--force", answers=refusal).code, 1)
        self.assertIn("/x", self.there())

    def test_not_reloaded_stays(self):
        for answers in ({"reload": Error(-32001, "you may not reload")},
                        {"reload": dict(self.RELOADED, products=["other"])}):
            done = self.install("--force", answers=answers)
            self.assertEqual(done.code, 1)
            self.assertIn("[product app]", self.there())
        done = run("profile", self.app, "--install", "--products-dir", self.products, "--socket",
                   self.home + "/nowhere")
        self.assertEqual(done.code, 1)
        self.assertIn("no daemon", done.err)
        self.assertIn("is written", done.err)

    def test_nowhere_to_write(self):
        done = ask({}, "profile", self.app, "--install", "--products-dir", self.home + "/none")
        self.assertEqual(done.code, 1)
        self.assertIn("--products-dir", done.err)


if __name__ == "__main__":
    unittest.main()
