# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# ./quickstart: a small Exchange, and three processes in the way, one after the other.
# Sourced by quickstart, whose functions and variables it uses.
# shellcheck disable=SC2154

lay_out_exchange() {
	local bin=$home/Exchsrvr/Bin system=$home/Winnt/System32 name
	mkdir -p "$bin" "$system"
	for name in Mdbperf Mtaperf Imsperf Gwperf Mseperf; do
		head -c 8192 /dev/zero >"$bin/$name.dll"
	done
	for name in Edbbcli Eseperf; do
		head -c 8192 /dev/zero >"$system/$name.dll"
	done
	for name in Dsamain Store Admin; do
		cp "$build/tests/system/holder" "$bin/$name.exe"
	done
	write_config <<-END
		[product exchange55]
		title = Microsoft Exchange Server 5.5
		directory = $bin
		directory = $system
		ignore-case = yes
		files = *perf.dll edbbcli.dll *.exe
		setup-stops = dsamain.exe store.exe

		[advice *perf.dll]
		product = exchange55
		say = Close Performance Monitor, here and on every machine that watches this server.

		[advice edbbcli.dll]
		product = exchange55
		say = End backup programs and stop the backup agents on this server.
	END
}

tell_exchange() {
	local bin=$home/Exchsrvr/Bin system=$home/Winnt/System32
	mkdir "$home/programs"
	mkfifo -m 600 "$home/story"
	# Our end of it; when this script ends, so does every holder.
	exec {story}<>"$home/story"

	say "1. Nobody uses the files. May the service pack be applied?"
	expect safe
	say "2. A monitor loads Mdbperf.dll and closes the descriptor: no open file" \
		"is left, only the mapping."
	hold perfmon mapped "$bin/Mdbperf.dll"
	expect blocked
	say "3. Somebody starts Admin.exe, and a backup agent locks Edbbcli.dll."
	hold setup-shell exec "$bin/Admin.exe"
	hold backup-agent posix "$system/Edbbcli.dll" write:0:100
	expect blocked
	ask locks
	say "4. All three end."
	let_go
	expect safe
	say "5. And who was it? The history knows."
	ask log --kind use-begin,use-end
	exec {story}>&-
	rm -rf "$home/programs" "$home/story"
}
