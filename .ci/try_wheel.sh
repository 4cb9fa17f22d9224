#!/usr/bin/env bash
# Installs a wheel as a user would, outside the checkout, and tries it there.
#   .ci/try_wheel.sh WHEEL [PYTHON]
set -euo pipefail
wheel=$(realpath "$1")
python=${2:-$(command -v python3 || command -v python)}
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
fail() { echo "the wheel: $*" >&2; exit 1; }

"$python" -m venv "$away/venv"
pip=("$away/venv/bin/pip" --disable-pip-version-check install --quiet --no-deps)
"${pip[@]}" --no-compile --require-hashes -r "$checkout/requirements/runtime.txt"
"${pip[@]}" "$wheel"
"$away/venv/bin/pip" check

# Only copies are looked at: nothing may be found in the checkout by accident.
cp -R "$checkout/examples/broken" "$checkout/examples/healthy" "$away/"
rules=$(find "$checkout/rules" -mindepth 2 -name '*.yaml' -not -path '*/schema/*' -not -path '*/symptoms/*' | wc -l)
cd "$away"
PATH="$away/venv/bin:$PATH"
unset PYTHONPATH PYTHONHOME

# exits CODE COMMAND…: the command's output, if it ends as it should
exits() {
  local wanted=$1 code=0
  shift
  "$@" || code=$?
  [ "$code" -eq "$wanted" ] || fail "'$*' ended with $code, not $wanted"
}

exits 0 pfdoctor --version
exits 1 pfdoctor check broken
exits 1 pfdoctor check broken --format json --output broken.json
exits 0 pfdoctor check healthy
exits 0 pfdoctor demo --no-progress >demo.txt
grep -q 'error\[secrets-flag-without-grant\]' demo.txt || fail "the demo does not find what is wrong"
echo "promptflow: ModuleNotFoundError: No module named 'bs4'" >app.log
exits 1 pfdoctor diagnose --log app.log
exits 0 pfdoctor rules list >rules.txt
exits 0 pfdoctor rules test

"$away/venv/bin/python" - "$rules" "$checkout" <<'PY'
import json
import pathlib
import sys

import pfdoctor

rules, checkout = int(sys.argv[1]), pathlib.Path(sys.argv[2])
package = pathlib.Path(pfdoctor.__file__).parent
assert checkout not in package.parents, f"tried {package}, not the wheel"
shipped = [path for path in package.glob("rules/*/*.yaml") if path.parent.name not in ("schema", "symptoms")]
names = {path.stem for path in shipped}
listed = {word for line in pathlib.Path("rules.txt").read_text(encoding="utf-8").splitlines() for word in line.split()}
assert len(shipped) == rules, f"{len(shipped)} rules in the wheel, {rules} in the checkout"
assert names <= listed, f"not in `rules list`: {sorted(names - listed)}"
assert (package / "rules" / "index.json").is_file(), "no index.json in the wheel"
assert json.loads(pathlib.Path("broken.json").read_text(encoding="utf-8")), "an empty report"
print(f"the wheel: {rules} rules, all listed; broken and healthy example as expected")
PY
