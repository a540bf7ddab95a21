#!/bin/sh
# Optical power for snmpd's pass_persist: ENTITY-SENSOR-MIB (RFC 3433) entPhySensorTable, one row for each direction.
#   row 100000 + 2 * port  transmitted power     row 100001 + 2 * port  received power
# Type dBm as the vendors' agents give it: entPhySensorType other(1), scale units(9), precision 2: hundredths of dBm.
# The names of the rows are entPhysicalName (ENTITY-MIB, RFC 6933): "p12 tx power", "p12 rx power".
# A port without carrier has no light. The module itself is asked where there is one (ethtool -m).
base=.1.3.6.1.2.1.99.1.1.1
names=.1.3.6.1.2.1.47.1.1.1.1.7
floor=-4000
table=/etc/sanwang/optics.tsv
source=$(sed -n 's/.*"source": "\([a-z]*\)".*/\1/p' /etc/sanwang/optics.json)

module() {  # port, Rx|Tx: hundredths of dBm from the module's own diagnostics
    case $2 in
    tx) key='Laser output power' ;;
    rx) key='Receiver signal average optical power' ;;
    esac
    ethtool -m "$1" 2>/dev/null | sed -n "s|^.*$key *: .* / *\(-\{0,1\}[0-9]*\)\.\([0-9][0-9]\).*|\1\2|p" | head -n 1
}

power() {  # port direction budgeted
    if [ "$source" = module ]; then
        found=$(module "$1" "$2")
        echo "${found:-$floor}"
        return
    fi
    carrier=0
    read -r carrier 2>/dev/null <"/sys/class/net/$1/carrier" || carrier=0
    # The laser goes on sending into a cut fibre; only what arrives is gone.
    if [ "$2" = rx ] && [ "$carrier" != 1 ]; then echo $floor; else echo "$3"; fi
}

# Every OID in order, one a line: oid port direction column budget
columns="1 2 3 4 5"
oids=$(
    while IFS='	' read -r port index tx rx; do
        echo "$names.$((100000 + 2 * index)) $port tx name $tx"
        echo "$names.$((100001 + 2 * index)) $port rx name $rx"
    done <"$table"
    for column in $columns; do
        while IFS='	' read -r port index tx rx; do
            echo "$base.$column.$((100000 + 2 * index)) $port tx $column $tx"
            echo "$base.$column.$((100001 + 2 * index)) $port rx $column $rx"
        done <"$table"
    done
)

answer() {  # oid port direction column budget
    echo "$1"
    case $4 in
    name) echo string; echo "$2 $3 power" ;;
    1) echo integer; echo 1 ;;
    2) echo integer; echo 9 ;;
    3) echo integer; echo 2 ;;
    4) echo integer; power "$2" "$3" "$5" ;;
    5) echo integer; echo 1 ;;
    esac
}

while read -r word; do
    case $word in
    PING) echo PONG ;;
    get)
        read -r wanted
        line=$(echo "$oids" | grep -m 1 "^$wanted ") && answer $line || echo NONE
        ;;
    getnext)
        read -r wanted
        # The first OID that comes after: the order of numbers, part by part.
        line=$(echo "$oids" | awk -v wanted="$wanted" '
            BEGIN { n = split(wanted, w, ".") }
            { m = split($1, o, "."); for (i = 2; i <= n && i <= m && o[i] + 0 == w[i] + 0; i++);
              if (i <= m && (i > n || o[i] + 0 > w[i] + 0)) { print; exit } }')
        if [ -n "$line" ]; then answer $line; else echo NONE; fi
        ;;
    set) read -r wanted; read -r value; echo not-writable ;;
    "") exit 0 ;;
    esac
done
