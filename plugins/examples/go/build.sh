#!/bin/sh
# build.sh OUTPUT: builds the plugin with Debian's packages of Go, go-plugin and gRPC; without modules, without network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/example.com"
ln -s "$here" "$work/src/example.com/script"
cd "$work"
GO111MODULE=off CGO_ENABLED=0 GOPATH="$work:/usr/share/gocode" GOFLAGS= \
  go build -o "$output" example.com/script
