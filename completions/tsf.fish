# fish completion for the tsf programs. Options come from the program itself (--complete-options), tables from the warehouse.

function __tsf_tables
    set -l warehouse $TSF_WAREHOUSE
    if test -z "$warehouse"
        set -l data $TSF_DATA_DIR
        if test -z "$data"
            set -l share $XDG_DATA_HOME
            test -n "$share"; or set share $HOME/.local/share
            set data $share/tsf
        end
        set warehouse $data/tables
    end
    for d in $warehouse/*/_delta_log/
        string replace -r '.*/([^/]+)/_delta_log/$' '$1' -- $d
    end
end

# Operands so far, the program left out.
function __tsf_operands
    set -l n 0
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set n (math $n + 1)
    end
    test $n -ge $argv[1]
end

function __tsf_complete_program
    set -l program $argv[1]
    command -q $program; or return
    complete -c $program -f
    for line in ($program --complete-options 2>/dev/null)
        set -l field (string split \t -- $line)
        set -l name (string replace -r '^--' '' -- $field[1])
        set -l letter
        switch "$program $name"
            case '* threads'
                set letter -s j
            case '* dry-run'
                set letter -s n
            case '* quiet'
                set letter -s q
            case '* verbose'
                set letter -s v
            case '* help'
                set letter -s h
            case 'tsf-query file' 'tsf-ingest format'
                set letter -s f
            case 'tsf-query format'
                set letter -s F
            case 'tsf-query output'
                set letter -s o
            case 'tsf-query param'
                set letter -s p
            case 'tsf-query no-header'
                set letter -s t
            case 'tsf-ingest reject-file'
                set letter -s r
        end
        if test -z "$field[2]"
            complete -c $program $letter -l $name -d "$field[3]"
            continue
        end
        switch "$program $name"
            case 'tsf-query format'
                complete -c $program $letter -l $name -x -a 'table csv tsv json ndjson markdown' -d "$field[3]"
            case 'tsf-ingest format'
                complete -c $program $letter -l $name -x -a 'auto ndjson' -d "$field[3]"
            case 'tsf-compact window'
                complete -c $program $letter -l $name -x -a '24h 48h 7d all' -d "$field[3]"
            case '* cold-after' '* retention' '* since'
                complete -c $program $letter -l $name -x -a '24h 48h 7d 14d 30d' -d "$field[3]"
            case '* warehouse' '* data-dir'
                complete -c $program $letter -l $name -x -a '(__fish_complete_directories)' -d "$field[3]"
            case '* file' '* reject-file' '* output'
                complete -c $program $letter -l $name -r -F -d "$field[3]"
            case '*'
                complete -c $program $letter -l $name -x -d "$field[3]"
        end
    end
    switch $program
        case tsf-query
        case tsf-ingest
            complete -c $program -n 'not __tsf_operands 1' -a '(__tsf_tables)' -d table
            complete -c $program -n '__tsf_operands 1' -F
        case '*'
            complete -c $program -a '(__tsf_tables)' -d table
    end
end

for program in tsf-ingest tsf-flush tsf-compact tsf-warm tsf-evict tsf-query tsf-vacuum
    __tsf_complete_program $program
end
