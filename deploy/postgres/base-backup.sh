#!/bin/sh
# Base backup of the data cluster: base-backup.sh SERVICE FOLDER [KEEP]
#
# SERVICE is an entry of pg_service.conf, so that no address or password is an argument. Writes
# FOLDER/<moment>/, checks it with pg_verifybackup, and keeps the newest KEEP (default 7). Refuses a
# cluster that holds a keyring: its backups would bring destroyed keys back.
set -eu
umask 077
service=$1 folder=$2 keep=${3:-7}
export PGSERVICE="$service"

databases=$(psql -XAtw -d postgres -c "SELECT datname FROM pg_database WHERE datallowconn")
for database in $databases; do
    found=$(psql -XAtw -d "$database" -c "SELECT count(*) FROM pg_class WHERE relname = 'keyring_identity'")
    if [ "$found" != 0 ]; then
        echo "base-backup: the database $database of this cluster is a keyring. Move it to a cluster" >&2
        echo "of its own; nothing was copied." >&2
        exit 2
    fi
done

target="$folder/$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p "$folder"
trap 'rm -rf "$target.part"' EXIT
pg_basebackup -w -D "$target.part" -X stream -c fast --manifest-checksums=SHA256
pg_verifybackup -q "$target.part"
sync
mv "$target.part" "$target"
trap - EXIT
echo "$target"

# Names sort by their moment: all but the newest KEEP go.
ls -1d "$folder"/*Z 2>/dev/null | sort -r | tail -n +"$((keep + 1))" | while read -r old; do
    rm -rf "$old"
done
