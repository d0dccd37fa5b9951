#!/usr/bin/env bash
# The long form of the attack test: thirty random instances of each way of each attack, more than two thousand in all.
#
#     tooling/attack-test-long.sh [--database-url URL] [--seed S]
set -eu
exec "$(dirname "${BASH_SOURCE[0]}")/../bin/runproof" attack-test --instances 30 "$@"
