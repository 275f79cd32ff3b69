#!/bin/bash
# Runs the official MCP conformance suite against a running server.
#
#   tests/conformance/run.sh URL [OUTDIR]        e.g. run.sh http://127.0.0.1:8000/mcp
#
# The server must listen on loopback (the DNS rebinding scenario needs that). Without authentication, or with
# TOKEN=... in the environment: the suite cannot send a token, so a loopback proxy adds the header.
# The npm packages go into a scratch folder below ${TMPDIR:-/tmp} that later runs use again; CONFORMANCE_DIR names
# another one. VERSIONS="2026-07-28 2025-11-25" runs only those. OUTDIR keeps what the suite wrote.
#
# A scenario that fails must stand in baseline-VERSION.yml beside this file, and one that stands there must fail.
# Stricter than the suite itself: scenarios that it runs without scoring are judged by the baseline as well, and what
# the server sends must fit the protocol's JSON Schema in every scenario, expected failures included.
#
# Exit: 0 all as expected, or skipped because npm cannot be reached (CONFORMANCE_REQUIRED=1 makes that a failure);
# 1 a scenario failed; 2 usage, no server, or an installation that failed.
set -u -o pipefail

suite=0.2.0-alpha.12
versions=${VERSIONS:-2026-07-28 2025-11-25 2025-06-18 2025-03-26}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1-}
case $url in
http://* | https://*) ;;
*) echo "usage: $0 URL [OUTDIR]" >&2; exit 2 ;;
esac

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mcp-conformance-run.XXXXXX") || exit 2
proxy=
finish() {
    [ -z "$proxy" ] || kill "$proxy" 2>/dev/null
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM
out=${2:-$scratch/out}
mkdir -p "$out" || exit 2

skip() {
    echo "skipped: npm is not reachable ($1)"
    [ "${CONFORMANCE_REQUIRED:-}" != 1 ] || exit 2
    exit 0
}

node_major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

# The newest suites need Node 22; it comes from npm too where the machine's own is older.
install() {
    command -v npm >/dev/null || skip 'no npm command'
    command -v node >/dev/null || skip 'no node command'
    local fresh=$scratch/npm packages=("@modelcontextprotocol/conformance@$suite")
    mkdir "$fresh" && echo '{"private":true}' >"$fresh/package.json" || exit 2
    [ "$(node_major node)" -ge 22 ] || packages+=(node@22)
    echo "installing ${packages[*]}"
    if ! (cd "$fresh" && npm install --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000 \
        "${packages[@]}") </dev/null >"$scratch/npm.log" 2>&1; then
        why=$(grep -oE 'E(NOTFOUND|CONNREFUSED|TIMEDOUT|AI_AGAIN|CONNRESET|HOSTUNREACH|NETUNREACH|PIPE)|ERR_SOCKET_TIMEOUT|FETCH_ERROR' \
            "$scratch/npm.log" | head -1)
        [ -z "$why" ] || skip "$why"
        cat "$scratch/npm.log" >&2
        echo 'npm install failed' >&2
        exit 2
    fi
    rm -rf "$dir"
    mv "$fresh" "$dir" || exit 2
}

dir=${CONFORMANCE_DIR:-${TMPDIR:-/tmp}/mcp-conformance-$suite-$(id -u)}
installed() {
    [ -O "$dir" ] && grep -qsF "\"version\": \"$suite\"" "$dir/node_modules/@modelcontextprotocol/conformance/package.json"
}
if ! installed; then
    [ -z "${CONFORMANCE_DIR:-}" ] || { echo "no conformance suite $suite in $dir" >&2; exit 2; }
    if [ -e "$dir" ] && ! [ -O "$dir" ]; then
        echo "$dir belongs to somebody else" >&2
        exit 2
    fi
    install
fi
if [ -x "$dir/node_modules/node/bin/node" ]; then PATH=$dir/node_modules/node/bin:$PATH; fi
if [ "$(node_major node)" -lt 22 ]; then
    echo "the suite needs Node 22, this is $(node --version)" >&2
    exit 2
fi

# The suite has no option for a token: a proxy adds it. Host and Origin pass unchanged unless they are the proxy's own.
if [ -n "${TOKEN:-}" ]; then
    cat >"$scratch/proxy.js" <<'JS'
const http = require('http'), fs = require('fs');
const target = new URL(process.argv[2]);
const server = http.createServer((req, res) => {
  const own = `:${server.address().port}`, headers = { ...req.headers, authorization: `Bearer ${process.env.TOKEN}` };
  for (const h of ['host', 'origin'])
    if (headers[h]?.endsWith(own)) headers[h] = h === 'host' ? target.host : target.origin;
  const up = http.request({ host: target.hostname.replace(/[[\]]/g, ''), port: target.port || 80, path: req.url, method: req.method, headers }, answer => {
    res.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(res);
  });
  up.on('error', () => res.destroy());
  res.on('close', () => up.destroy());
  req.pipe(up);
}).listen(0, '127.0.0.1', () => {
  fs.writeFileSync(process.argv[3] + '.new', `http://127.0.0.1:${server.address().port}${target.pathname}`);
  fs.renameSync(process.argv[3] + '.new', process.argv[3]);
});
JS
    case $url in https://*) echo 'TOKEN works with http:// only' >&2; exit 2 ;; esac
    node "$scratch/proxy.js" "$url" "$scratch/proxy.url" &
    proxy=$!
    for _ in $(seq 50); do [ -s "$scratch/proxy.url" ] && break; sleep 0.1; done
    url=$(cat "$scratch/proxy.url") || exit 2
fi

node - "$url" <<'JS' || exit 2
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const fail = why => { console.error(`${process.argv[2]}: ${why}`); process.exit(1); };
fetch(process.argv[2], { method: 'POST', body, headers, signal: AbortSignal.timeout(10000) }).then(
  r => r.status === 401 ? fail('the server wants a token: give TOKEN, or switch authentication off') : process.exit(0),
  e => fail(`no answer (${e.cause?.code ?? e.message})`));
JS

# Reads the suite's files of one version and the baseline, prints a line for each scenario.
cat >"$scratch/report.js" <<'JS'
const fs = require('fs'), path = require('path');
const [, , version, out, baselineFile, rc, totals] = process.argv;
const baseline = new Set(fs.readFileSync(baselineFile, 'utf8').split('\n').map(l => l.match(/^\s*-\s+([^\s#]+)/)?.[1]).filter(Boolean));
const stdout = fs.readFileSync(path.join(out, 'stdout.txt'), 'utf8').replace(/\x1b\[[0-9;]*m/g, '');
const results = new Map();
for (const d of fs.readdirSync(out)) {
  const name = d.match(/^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$/)?.[1], file = path.join(out, d, 'checks.json');
  if (name && fs.existsSync(file)) results.set(name, JSON.parse(fs.readFileSync(file, 'utf8')));
}
// a scenario that threw has no files, only its line in the summary
const order = [...stdout.matchAll(/^[✓✗] ([^:\s]+): (\d+) passed, (\d+) failed/gm)].map(m => ({ name: m[1], passed: +m[2], failed: +m[3] }));
const n = { passed: 0, failed: 0, expected: 0 }, bad = [];
for (const { name, passed, failed } of order) {
  const isBad = c => c.status === 'FAILURE' || c.status === 'WARNING';
  const fails = (results.get(name) ?? []).filter(isBad);
  const excused = c => c.id === 'wire-schema-valid' ? baseline.has(`${name}:${c.id}`) : baseline.has(name) || baseline.has(`${name}:${c.id}`);
  const hard = fails.filter(c => !excused(c)).map(c => `${name}: ${c.id}: ${String(c.errorMessage ?? c.description ?? c.status).replace(/\s+/g, ' ').slice(0, 400)}`);
  if (!results.has(name) && failed && !baseline.has(name)) hard.push(`${name}: failed without a result file`);
  if (baseline.has(name) && !fails.length) hard.push(`${name}: passes, but stands in the baseline: take it out`);
  const ids = new Set((results.get(name) ?? []).map(c => c.id)), bads = new Set(fails.map(c => c.id));
  for (const b of baseline)
    if (b.startsWith(name + ':') && ids.has(b.slice(name.length + 1)) && !bads.has(b.slice(name.length + 1))
      && !(results.get(name) ?? []).some(c => c.id === b.slice(name.length + 1) && c.status === 'SKIPPED'))
      hard.push(`${b}: passes, but stands in the baseline: take it out`);
  const state = hard.length ? 'FAILED' : fails.length ? 'expected' : 'ok';
  n[{ FAILED: 'failed', expected: 'expected', ok: 'passed' }[state]]++;
  console.log(`${version}  ${state.padEnd(8)}  ${name}: ${passed} passed, ${failed} failed`);
  bad.push(...new Set(hard));
}
if (!order.length) bad.push('the suite ran no scenario');
if (rc !== '0' && !bad.length) bad.push(`the suite exited ${rc}: ${stdout.trim().split('\n').slice(-8).join(' | ')}`);
if (bad.length && !n.failed) n.failed = 1;
console.log(`${version}  total     ${n.passed} ok, ${n.expected} expected failures (no test tools), ${n.failed} FAILED\n`);
fs.appendFileSync(totals, JSON.stringify({ version, ...n, bad }) + '\n');
JS

for version in $versions; do
    rm -rf "${out:?}/$version"
    mkdir -p "$out/$version" || exit 2
    case $version in
    2026-07-28 | 2025-11-25) what=(--requirements "$version") ;;
    *) what=(--suite all --spec-version "$version") ;;
    esac
    NO_COLOR=1 "$dir/node_modules/.bin/conformance" server --url "$url" "${what[@]}" -o "$out/$version" \
        --expected-failures "$here/baseline-$version.yml" </dev/null >"$out/$version/stdout.txt" 2>&1
    node "$scratch/report.js" "$version" "$out/$version" "$here/baseline-$version.yml" $? "$scratch/totals" || exit 2
done

node - "$scratch/totals" <<'JS'
const all = require('fs').readFileSync(process.argv[2], 'utf8').trim().split('\n').map(l => JSON.parse(l));
const sum = k => all.reduce((s, v) => s + v[k], 0);
for (const v of all) for (const b of v.bad) console.log(`FAILED ${v.version} ${b}`);
console.log(`conformance: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('expected')} skipped`);
process.exit(all.some(v => v.bad.length) ? 1 : 0);
JS
