#!/bin/sh
# archive_command of the data cluster: archive-wal.sh PATH NAME FOLDER
#
# Succeeds only when the segment is durable in FOLDER, and never writes over another one: PostgreSQL
# keeps a segment until this says that it has it.
set -eu
umask 077
source=$1 name=$2 folder=$3

if [ -e "$folder/$name" ]; then
    # The same segment again, after a crash between the copy and the answer.
    cmp -s "$source" "$folder/$name" && exit 0
    echo "archive-wal: $name is there already and differs" >&2
    exit 1
fi
temporary="$folder/.$name.$$"
trap 'rm -f "$temporary"' EXIT
cp "$source" "$temporary"
sync "$temporary"
mv "$temporary" "$folder/$name"
sync "$folder"
