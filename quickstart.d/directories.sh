# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# ./quickstart DIR...: what somebody brings himself. Sourced by quickstart, whose
# functions and variables it uses.
# shellcheck disable=SC2154

configure_directories() {
	local directory path
	{
		echo "[product yours]"
		echo "title = $*"
		for directory in "$@"; do
			path=$(realpath -e -- "$directory")
			case $path in
			*[$'\n\r']* | *' ;'* | *' #'*) die "$path: this name cannot be configured" ;;
			esac
			echo "directory = $path"
		done
		echo "recursive = yes"
		echo "files = *"
	} >"$home/product"
	write_config <"$home/product"
	rm "$home/product"
}

tell_directories() {
	say "May the files in these directories be replaced now?"
	ask check
	case $code in
	0) say "Nobody uses any of them." ;;
	2) say "Above is who is in the way, and what to do about it." ;;
	*) say "Above is what could not be looked at, and what would mend it." ;;
	esac
}
