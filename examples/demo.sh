#!/bin/bash
# From a table to a model, its evaluation page and its answers: what `make demo` shows.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
PATH=$PWD/$build/src/main:$PATH
data=examples/data/breast-cancer
out=$build/demo
command -v clary >/dev/null || { echo "demo: no 'clary' in $build/src/main; run make first" >&2; exit 1; }
mkdir -p "$out"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

step() { # step TITLE COMMAND...: shows the command as one would type it, then runs it
    printf '\n%s%s%s\n$' "$bold" "$1" "$plain"
    shift
    printf ' %s' "$@"
    printf '\n'
    "$@"
}

printf '\n%s%s%s\n' "$bold" "Look first: what is in the table, and what is wrong with it" "$plain"
printf '$ clary explore %s/train.csv --target diagnosis -o %s/explore.html\n' "$data" "$out"
clary explore $data/train.csv --target diagnosis -o "$out/explore.html" >"$out/explore.txt"
sed -n '1,10p' "$out/explore.txt"
echo "...
the whole page: $out/explore.html"

step "Train: is a tumor malignant?  30 measurements of 344 patients; 118 others say when to stop" \
    clary train xgboost --train $data/train.csv --validation $data/validation.csv --target diagnosis \
    --num_round 200 --early_stopping_rounds 20 -o "$out/model.tar.gz"

step "Evaluate on patients that the model has not seen" \
    clary evaluate "$out/model.tar.gz" $data/test.csv --report "$out/evaluation.html"

step "Ask: one answer a row" clary predict "$out/model.tar.gz" $data/test.csv --kind class -o "$out/answers.csv"
head -n 3 "$out/answers.csv"

# ---- the same through AWS's own client ----

python=
for candidate in "$build/venv-demo/bin/python" "$build/venv/bin/python" python3; do
    if "$candidate" -c 'import boto3' 2>/dev/null; then python=$candidate && break; fi
done
printf '\n%s%s%s\n' "$bold" "The same as on AWS: claryd in a temporary home, and unmodified boto3 that only has AWS_ENDPOINT_URL" "$plain"
if [ -z "$python" ]; then
    echo "left out: no boto3 here (python3 -m pip install boto3)"
else
    home=$(mktemp -d)
    export CLARY_HOME=$home
    printf '$ clary up --port 0 &\n'
    clary up --port 0 >"$home/out" &
    server=$!
    trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$home"' EXIT
    for _ in $(seq 100); do grep -q ready "$home/out" && break; sleep 0.05; done
    head -n 1 "$home/out"
    # shellcheck disable=SC2016
    printf '$ eval "$(clary env)"; python3 examples/quickstart.py\n'
    eval "$(clary env --no-files)"
    "$python" examples/quickstart.py
fi

cat <<END

The page with curves and tables: $out/evaluation.html
Next, a harder one, 20 190 years of people's lives (examples/data/README.md):
    clary train xgboost --train examples/data/doctor-visits/train.csv \\
        --validation examples/data/doctor-visits/validation.csv --target visited --eval_metric auc
Every option, with its default and range:   clary train xgboost --help
END
