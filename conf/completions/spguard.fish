# SPDX-License-Identifier: MIT
# What fish offers behind spguard.

function __spguard_products
    set -l words (commandline -opc)
    set -l at
    set -l where (contains -i -- --socket $words)
    and test (count $words) -gt $where
    and set at --socket $words[(math $where + 1)]
    command spguard $at --timeout 500ms --json status 2>/dev/null \
        | grep -o '"name": *"[a-z0-9_.-]*", *"title"' | cut -d '"' -f 4
end

# The kinds, joined to those before the last comma.
function __spguard_kinds
    set -l before (string replace -r '[^,]*$' '' -- (commandline -ct | string replace -r '^--kind=' ''))
    printf "$before%s\n" open close exec modify create delete rename lock unlock lock-wait \
        lock-fail use-begin use-end gap verdict install-begin install-end hold-begin hold-end \
        hold-refuse sidestep
end

set -l commands check who locks watch run hold sidestep packages verify log installs maintenance status \
    doctor metrics profile reload flush

complete -c spguard -f
complete -c spguard -l socket -r -F -d 'where the daemon listens'
complete -c spguard -l json -d "the daemon's answer as JSON"
complete -c spguard -l no-color -d 'no colour'
complete -c spguard -l utc -d 'times in UTC'
complete -c spguard -l timeout -x -d 'give up after so long'
complete -c spguard -s h -l help -d help
complete -c spguard -n "not __fish_seen_subcommand_from $commands" -s V -l version -d 'the version'

for row in 'check:can the service pack be applied safely, and what is in the way' \
        'who:who uses which files now' \
        'locks:the locks, held and waited for, with their ranges' \
        'watch:a live view: verdicts, who holds what, the last events' \
        'run:apply a service pack: check, hold, run, verify' \
        'hold:run a command while new opens are refused to all others' \
        'sidestep:rename held files, so that setup can write new ones' \
        'packages:is somebody in the way of these packages: apt and dnf ask it' \
        "verify:do the installed files fit together, are they the service pack's" \
        'log:history: what happened to the files, and who did it' \
        'installs:what was installed, by whom, and what came of it' \
        'maintenance:when in the week the files were free that long' \
        "status:the daemon's health, and what it watches" \
        'doctor:what works, what does not, and the remedy for each lack' \
        'metrics:what is measured, for Prometheus and its like' \
        'profile:make the profile of an application that is installed' \
        'reload:make the daemon read its configuration again' \
        'flush:return when every event before now is in the history'
    set -l pair (string split -m 1 : $row)
    complete -c spguard -n "not __fish_seen_subcommand_from $commands" -a $pair[1] -d $pair[2]
end

function __spguard_behind
    __fish_seen_subcommand_from $argv
    and not contains -- -- (commandline -opc)
end

complete -c spguard -n '__spguard_behind check who locks watch run hold sidestep verify log installs maintenance' \
    -s p -l product -x -a '(__spguard_products)' -d 'the product'
complete -c spguard -n '__spguard_behind check run sidestep verify' \
    -l payload -r -F -d 'the service pack, a folder or an archive'
complete -c spguard -n '__spguard_behind check run verify' -l files -r -F -d 'its files as a list'
complete -c spguard -n '__spguard_behind check' -l settle -x -d 'how long the files have to stay free'
complete -c spguard -n '__spguard_behind check installs' -l wait -d 'until it is so'
complete -c spguard -n '__spguard_behind check who' -l all -d 'list free files too'
complete -c spguard -n '__spguard_behind packages' -l apt -d 'standard input is of apt'
complete -c spguard -n '__spguard_behind packages' -l dnf -d 'standard input is of dnf'
complete -c spguard -n '__spguard_behind packages' -l on-blocked -x -a 'refuse warn' -d 'what to do then'
complete -c spguard -n '__spguard_behind packages' -l on-failure -x -a 'refuse warn' -d 'what to do without an answer'
complete -c spguard -n '__spguard_behind packages' -l within -x -d 'no answer after so long is a failure'
complete -c spguard -n '__spguard_behind status' -l prove -d 'prove every verdict anew first'
complete -c spguard -n '__spguard_behind metrics' -l format -x -a 'openmetrics prometheus' -d 'in which format'
complete -c spguard -n '__spguard_behind metrics' -l textfile -r -F -d 'write them to this file'
complete -c spguard -n '__spguard_behind profile' -l package -x -d 'of this package'
complete -c spguard -n '__spguard_behind profile' -l unit -x -d 'of this service'
complete -c spguard -n '__spguard_behind profile' -l pid -x -a '(__fish_complete_pids)' -d 'of this process'
complete -c spguard -n '__spguard_behind profile' -l name -x -d "the product's name"
complete -c spguard -n '__spguard_behind profile' -l install -d 'put it where the daemon reads it'
complete -c spguard -n '__spguard_behind profile' -l force -d 'over a profile of the same name'
complete -c spguard -n '__spguard_behind profile' -l products-dir -x -a '(__fish_complete_directories)' -d 'where that is'
complete -c spguard -n '__spguard_behind profile' -l profiles-dir -x -a '(__fish_complete_directories)' -d 'where profiles are whose advice is taken over'
complete -c spguard -n '__spguard_behind profile' -a '(__fish_complete_directories)'
complete -c spguard -n '__spguard_behind doctor' -l all -d 'what is fine one by one, too'
complete -c spguard -n '__spguard_behind check' -s q -l quiet -d 'say nothing, only exit'
complete -c spguard -n '__spguard_behind who' -l by -x -a 'service file' -d 'in groups'
complete -c spguard -n '__spguard_behind who' -l flat -d 'by file'
complete -c spguard -n '__spguard_behind watch log' -l kind -x -a '(__spguard_kinds)' -d 'only these'
complete -c spguard -n '__spguard_behind watch' -l plain -d 'a line for each event'
complete -c spguard -n '__spguard_behind log' -l since -x -a '-1h -2h -1d today yesterday' -d 'from this time on'
complete -c spguard -n '__spguard_behind log' -l until -x -a 'now -1h today yesterday' -d 'up to this time'
complete -c spguard -n '__spguard_behind log' -l process -x -d 'only of this one'
complete -c spguard -n '__spguard_behind installs' -l accept -x -d 'what it has left is meant to be so'
complete -c spguard -n '__spguard_behind log installs' -s n -l limit -x -d 'the newest so many'
complete -c spguard -n '__spguard_behind log' -l before -x -d 'older than this number'
complete -c spguard -n '__spguard_behind log' -l no-pager -d 'no pager'
complete -c spguard -n '__spguard_behind maintenance' -l for -x -a '30m 1h 2h' -d 'how long it takes'
complete -c spguard -n '__spguard_behind maintenance' -l days -x -d 'look at the last so many'
complete -c spguard -n '__spguard_behind run hold' -l for -x -a '30m 1h 2h' -d 'the hold lasts so long at most'
complete -c spguard -n '__spguard_behind run hold' -l allow -x -a '(__fish_complete_pids)' -d 'is the installer too'
complete -c spguard -n '__spguard_behind run hold sidestep' -s y -l yes -d 'do not ask'
complete -c spguard -n '__spguard_behind run' -l retry -d 'until it finishes clean'
complete -c spguard -n '__spguard_behind sidestep' -s n -l dry-run -d 'show what would be done'
complete -c spguard -n '__spguard_behind sidestep' -l list -d 'the steps that are not over'
complete -c spguard -n '__spguard_behind sidestep' -l undo -x -d 'give it its name again'
complete -c spguard -n '__spguard_behind sidestep' -l clean -d 'remove old files that nobody uses'
complete -c spguard -n '__spguard_behind who locks log sidestep' -F

# Behind "--" is a command line of its own.
function __spguard_command_line
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set -e words[1..$at]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c spguard -n 'contains -- -- (commandline -opc)' -a '(__spguard_command_line)'
