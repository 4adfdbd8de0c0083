# SPDX-License-Identifier: MIT
"""What shells offer behind a command line: by letting the real shell complete it.

    Bash(setup).offers("spguard check --p")  ->  {"--payload", "--product"}

Each shell runs on a pseudo terminal (fish needs none) and ends with close().
"""
import os
import pty
import re
import shutil
import subprocess
import termios
import tty

HANG = 60


class Interactive:
    """A shell on a terminal."""

    def __init__(self, command, env, cwd):
        master, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                      env=dict(env, TERM="dumb"), cwd=cwd,
                                      start_new_session=True)
        os.close(slave)
        self.master, self.text = master, ""

    def send(self, text):
        os.write(self.master, text.encode())

    def read_until(self, pattern):
        """The match of @pattern in what comes; that and what is before it is taken."""
        while True:
            match = re.search(pattern, self.text, re.S)
            if match:
                self.text = self.text[match.end():]
                return match
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                raise AssertionError(f"the shell ended; last it said {self.text[-500:]!r}")
            self.text += chunk.decode(errors="replace")

    def close(self):
        self.child.kill()
        self.child.wait(HANG)
        os.close(self.master)


class Bash(Interactive):
    """Every completion is put into the line, and the line is printed."""

    def __init__(self, setup, env, cwd=None):
        super().__init__(["bash", "--norc", "--noprofile", "-i"], env, cwd)
        self.send("PS1=; PS2=; bind 'set bell-style none'; "
                  "bind 'set enable-bracketed-paste off'; "
                  r"""bind '"\C-t": insert-completions'; """
                  r"""bind -x '"\C-y": printf "<%s>%s" "$READLINE_LINE" "<end>"'; """
                  r"""bind '"\C-x\C-k": kill-whole-line'; """
                  f"{setup}; echo \"<rea\"\"dy>\"\n")
        self.read_until("<ready>")

    def offers(self, line):
        start = line[:line.rfind(" ") + 1]
        self.send(line + "\x14\x19")
        said = self.read_until("<(spguard[^<]*)><end>")[1]
        self.send("\x18\x0b")
        if said == line:  # nothing, or just that
            return {line[len(start):]} - {""}
        return set(said[len(start):].replace("\\ ", "\0").split())


class Zsh(Interactive):
    """What is given to compadd is printed."""

    def __init__(self, setup, env, cwd=None):
        super().__init__(["zsh", "-f", "-i"], env, cwd)
        self.send("PS1=; PS2=; RPS1=; unsetopt prompt_cr prompt_sp; setopt no_beep; "
                  "KEYTIMEOUT=1; autoload -Uz compinit; "
                  f"{setup}; compinit -u -D; "
                  "zstyle ':completion:*' list-colors; LISTMAX=10000; "
                  "compadd() { local -a hits; "
                  "if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then "
                  "builtin compadd \"$@\"; return; fi; "
                  "builtin compadd -A hits \"$@\"; print -rn -- \"<${(j:><:)hits}>\"; "
                  "builtin compadd \"$@\"; }; "
                  "finish() { print -rn -- '<e''nd>' }; "
                  "capture() { comppostfuncs=(finish); zle list-choices; "
                  "zle kill-whole-line }; "
                  "zle -N capture; bindkey '^T' capture; echo '<rea''dy>'\n")
        self.read_until("<ready>")

    def offers(self, line):
        self.send(line + "\x14")
        said = self.read_until("^(.*?)<end>")[1]
        return {hit.replace("\\", "") for hit in re.findall("<([^<>]+)>", said)}


class Fish:
    def __init__(self, setup, env, cwd=None):
        self.setup, self.env, self.cwd = setup, env, cwd

    def offers(self, line):
        done = subprocess.run(["fish", "--no-config", "-c",
                               f"{self.setup}; complete -C '{line}'"], env=self.env,
                              cwd=self.cwd, capture_output=True, text=True, timeout=HANG)
        assert done.stderr == "", done.stderr
        return {row.split("\t")[0] for row in done.stdout.splitlines()}

    def close(self):
        pass


def have(shell):
    return shutil.which(shell) is not None
