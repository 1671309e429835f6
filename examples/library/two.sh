#!/bin/sh
# Two libraries side by side: what each of them found, and that both come to hold the same. `two.sh [FOLDER]` leaves
# everything in that folder, which must be empty or not there yet. LIBRARY names a `library` that is built already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${LIBRARY:-}" ]; then
    cargo build --quiet --release --manifest-path "$here/Cargo.toml"
    target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$here/Cargo.toml" |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    LIBRARY=$target/release/library
fi
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    cd "$1"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
fi

# Both list what they hold; they must say the same.
compare() {
    echo "== $1"
    "$LIBRARY" anna.db list | tee anna.txt
    "$LIBRARY" ben.db list >ben.txt
    diff anna.txt ben.txt || { echo "the libraries differ" >&2; exit 1; }
    echo "   (and ben's list is the same)"
}

mkdir -p anna/live ben shared
printf 'one' >anna/one.flac
printf 'two' >anna/live/two.flac
printf 'two' >ben/a-copy-of-two.flac
printf 'three' >ben/three.flac

"$LIBRARY" anna.db scan anna
"$LIBRARY" anna.db tag anna/live/two.flac live
"$LIBRARY" anna.db album Geogaddi
"$LIBRARY" ben.db scan ben
"$LIBRARY" ben.db tag ben/a-copy-of-two.flac favourite
"$LIBRARY" ben.db tag ben/three.flac live

"$LIBRARY" anna.db sync ben.db
compare "brought together by a pipe"

printf 'one, remastered' >anna/one.flac
"$LIBRARY" anna.db scan anna
rm ben/a-copy-of-two.flac
"$LIBRARY" ben.db scan ben
"$LIBRARY" ben.db album Geogaddi 2002
for database in anna.db ben.db anna.db; do
    "$LIBRARY" "$database" sync --via shared
done
compare "brought together through a message folder"
