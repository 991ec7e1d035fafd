#!/usr/bin/env bats
# tsf-query -o: a file is replaced when the answer is whole, anything else is written to.

load helper

setup() {
    tsf_setup
}

@test "-o leaves no file behind when the statement fails" {
    need tsf-query
    echo old >answer
    run tsf-query -o answer "SELECT 1 FROM nowhere"
    [ "$status" -eq 1 ]
    [ "$(cat answer)" = old ]
    [ -z "$(find . -name '.tmp*')" ]
}

@test "-o into a pipe writes into it and does not replace it" {
    need tsf-query
    mkfifo pipe
    cat pipe >copy &
    tsf-query --format csv -o pipe "SELECT 41 + 1 AS n"
    wait
    [ -p pipe ]
    [ "$(cat copy)" = "$(printf 'n\n42')" ]
}
