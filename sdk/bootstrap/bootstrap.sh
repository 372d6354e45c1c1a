#!/usr/bin/env bash
# Makes a Debian 12 machine ready to build Mortise: Debian packages (apt.sh), then LibTorch (torch.sh).
#
#   sdk/bootstrap/bootstrap.sh [LIST...]     package lists to install beside packages.txt
#
# Idempotent: a second call takes about a second.  Every failure is one sentence.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=say.sh
source "$here/say.sh"

start=$SECONDS
"$here/apt.sh" "$here/packages.txt" "$@"
"$here/torch.sh"
say "ready in $(took "$start")"
