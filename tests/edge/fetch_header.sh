#!/usr/bin/env bash
# onnxruntime_c_api.h, of Debian 13's libonnxruntime-dev, into FOLDER: no package of Debian 12, PyPI or npm holds it.
# Nothing is installed; the package's signature is checked as ever.
set -euo pipefail
folder=$(realpath -m "$1")
mkdir -p "$folder"/{sources,lists/partial,cache/archives/partial}
sed 's/bookworm/trixie/g' /etc/apt/sources.list.d/debian.sources > "$folder/sources/debian.sources"
cd "$folder"
fetch=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$folder/sources"
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache")
"${fetch[@]}" update
"${fetch[@]}" download libonnxruntime-dev
dpkg --extract libonnxruntime-dev_*.deb package
cp package/usr/include/onnxruntime/*.h .
