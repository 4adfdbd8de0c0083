# SPDX-License-Identifier: MIT
# What fish offers behind spguardd.
complete -c spguardd -f
complete -c spguardd -l config -r -F -d 'read this configuration'
complete -c spguardd -l check-config -d 'say what is wrong with it'
complete -c spguardd -l print-config -d 'show what is in force'
complete -c spguardd -l foreground -d 'stay in the foreground'
complete -c spguardd -l tier -x -a 'auto bpf procfs' -d 'how to look'
complete -c spguardd -s V -l version -d 'the version'
complete -c spguardd -s h -l help -d help
