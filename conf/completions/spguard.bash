# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What bash offers behind spguard and spguardd. Installed as completions/spguard and
# completions/spguardd, where bash-completion finds it; works without that, too.

_spguard_all='--socket --json --no-color --utc --timeout --help -h'
_spguard_commands='check who locks watch run hold sidestep packages verify log installs maintenance
	status doctor metrics profile reload flush'
_spguard_kinds='open close exec modify create delete rename lock unlock lock-wait
	lock-fail use-begin use-end gap verdict install-begin install-end hold-begin hold-end
	hold-refuse sidestep'

# The options of command $1.
_spguard_options() {
	case $1 in
	check) echo '-p --product --payload --files --wait --settle --all -q --quiet' ;;
	who) echo '-p --product --all --by --flat' ;;
	locks) echo '-p --product' ;;
	watch) echo '-p --product --kind --plain' ;;
	run) echo '--payload --files --for -p --product --allow --retry -y --yes' ;;
	hold) echo '--for -p --product --allow -y --yes' ;;
	sidestep) echo '-p --product --payload -n --dry-run -y --yes --list --undo --clean' ;;
	packages) echo '--apt --dnf --on-blocked --on-failure --within' ;;
	verify) echo '-p --product --payload --files' ;;
	log)
		echo '--since --until --kind --process -p --product -n --limit --before'
		echo '--no-pager'
		;;
	installs) echo '-p --product -n --limit --wait --accept' ;;
	maintenance) echo '--for --days -p --product' ;;
	status) echo '--prove' ;;
	doctor) echo '--all' ;;
	metrics) echo '--format --textfile' ;;
	profile) echo '--package --unit --pid --name --install --force --products-dir --profiles-dir' ;;
	esac
}

# The names of the products, if the daemon answers at once. $1: its socket, or nothing.
_spguard_products() {
	command spguard ${1:+--socket "$1"} --timeout 500ms --json status 2>/dev/null |
		grep -o '"name": *"[a-z0-9_.-]*", *"title"' | cut -d '"' -f 4
}

# Offer those of the words in $1 that begin with $2.
_spguard_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Offer files ($1 is -f) or folders (-d).
_spguard_files() {
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# The value of option $1 that begins with $2; false when it takes none.
_spguard_value() {
	local list
	case $1 in
	-p | --product) _spguard_offer "$(_spguard_products "$3")" "$2" ;;
	--products-dir | --profiles-dir) _spguard_files -d "$2" ;;
	--payload | --files | --socket | --config | --textfile) _spguard_files -f "$2" ;;
	--on-blocked | --on-failure) _spguard_offer 'refuse warn' "$2" ;;
	--by) _spguard_offer 'service file' "$2" ;;
	--format) _spguard_offer 'openmetrics prometheus' "$2" ;;
	--tier) _spguard_offer 'auto bpf procfs' "$2" ;;
	--for | --timeout | --within) _spguard_offer '30s 5m 30m 1h 2h' "$2" ;;
	--since | --until) _spguard_offer '-1h -2h -1d now today yesterday' "$2" ;;
	--kind)
		list=${2%"${2##*,}"}
		_spguard_offer "$_spguard_kinds" "${2##*,}"
		compopt -o nospace
		COMPREPLY=("${COMPREPLY[@]/#/$list}")
		;;
	--package | --unit | --pid | --name | --process | --limit | -n | --before | --days | --undo | --allow) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

_spguard() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' socket='' i word
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == --socket ]]; then
			i=$((i + 1))
			[[ ${COMP_WORDS[i]} != '=' ]] || i=$((i + 1))
			socket=${COMP_WORDS[i]}
		elif [[ $word == --timeout && -z $command ]]; then
			i=$((i + 1))
		elif [[ $word == -- ]]; then
			# Behind it is a command line of its own.
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
			fi
			return
		elif [[ -z $command && $word != [-=]* ]]; then
			command=$word
		fi
	done
	# "=" is a word of its own: --retry = wait
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $prev == '=' ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ ${COMP_WORDS[COMP_CWORD]} == '=' || ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then
		case $prev in
		--retry) _spguard_offer 'ask wait sidestep' "$cur" && return ;;
		--wait) _spguard_offer '10m 30m 1h 2h' "$cur" && return ;;
		esac
	fi
	# sidestep -n takes no value; log -n and installs -n do.
	if ! [[ $command == sidestep && $prev == -n ]] &&
		_spguard_value "$prev" "$cur" "$socket"; then
		return
	fi
	if [[ $cur == -* ]]; then
		_spguard_offer "$_spguard_all $(
			if [[ -n $command ]]; then
				_spguard_options "$command"
			else
				echo '--version -V'
			fi
		)" "$cur"
	elif [[ -z $command ]]; then
		_spguard_offer "$_spguard_commands" "$cur"
	else
		case $command in
		who | locks | log | sidestep) _spguard_files -f "$cur" ;;
		profile) _spguard_files -d "$cur" ;;
		esac
	fi
}

_spguardd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $prev == '=' ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_spguard_value "$prev" "$cur" ||
		_spguard_offer '--config --check-config --print-config --foreground --tier
			--version -V --help -h' "$cur"
}

complete -F _spguard spguard
complete -F _spguardd spguardd
