#!/usr/bin/env bash
# The long forms of the tests whose short, seeded forms `npm test` runs. Some minutes each.
#
#     tooling/long.sh                  all of them
#     tooling/long.sh attack crashes   some of them
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

in_checkout() { node tooling/bootstrap.mjs exec "$@"; }
long_tests() { RUNPROOF_LONG=1 in_checkout vitest run "$@"; }

# More than two thousand random attacks, thirty of each way.
attack() { ./bin/runproof attack-test --instances 30; }
# A hundred thousand runs of several processes that are killed in between, and audits beside them.
log() { long_tests packages/spine-coordinators/test/LogUnderCrashes.test.ts; }
# Writers and servers that are killed at every stage.
crashes() { long_tests packages/drivers/test/Crash.test.ts; }
# A hundred thousand faults of network, sessions and server, and every run compared with what its program was told.
faults() { long_tests packages/spine-coordinators/test/WritingUnderFaults.test.ts; }
# Sixteen processes at once, and sixteen writers on one trace.
concurrency() { long_tests packages/drivers/test/Concurrency.test.ts; }
# What is stored is what was hashed, whatever it holds.
bytes() { long_tests packages/drivers/test/StoredBytes.test.ts; }
# Twelve thousand requests that are malformed.
malformed() { long_tests apps/api/test/Malformed.test.ts; }

all="attack log crashes faults concurrency bytes malformed"
failed=0
for name in ${*:-$all}; do
  case " $all " in
    *" $name "*) ;;
    *)
      echo "there is no $name: choose from $all" >&2
      exit 2
      ;;
  esac
  printf '\n== %s\n' "$name"
  "$name" || failed=1
done
exit "$failed"
