# Optical power for snmpd's pass_persist: ENTITY-SENSOR-MIB (RFC 3433) entPhySensorTable, one row for each direction.
#   row 100000 + 2 * port  transmitted power     row 100001 + 2 * port  received power
# Type dBm as the vendors' agents give it: entPhySensorType other(1), scale units(9), precision 2: hundredths of dBm.
# The names of the rows are entPhysicalName (ENTITY-MIB, RFC 6933): "p12 tx power", "p12 rx power".
# A port without carrier has no light. The module itself is asked where there is one (ethtool -m).
# One process answers everything: a walk of a router's ports must not cost a process for each object.

BEGIN {
    sensor = ".1.3.6.1.2.1.99.1.1.1"
    name = ".1.3.6.1.2.1.47.1.1.1.1.7"
    floor = -4000
    label["tx"] = "Laser output power"
    label["rx"] = "Receiver signal average optical power"
    getline document < "/etc/sanwang/optics.json"
    module = index(document, "\"source\": \"module\"")
    while ((getline row < "/etc/sanwang/optics.tsv") > 0) {  # in the order of the ports' numbers
        split(row, field, "\t")
        for (way = 0; way < 2; way++) {
            number = 100000 + 2 * field[2] + way
            port[number] = field[1]
            direction[number] = way ? "rx" : "tx"
            budget[number] = field[3 + way]
            rows[++count] = number
        }
    }
    split("name 1 2 3 4 5", column, " ")
    for (c = 1; c <= 6; c++)
        for (r = 1; r <= count; r++) {
            oid = (c == 1 ? name : sensor "." column[c]) "." rows[r]
            place[oid] = ++last
            oids[last] = oid
        }
    while ((getline word) > 0) {
        if (word == "PING") say("PONG")
        else if (word == "get") { getline wanted; answer(place[wanted]) }
        else if (word == "getnext") { getline wanted; answer(after(wanted)) }
        else if (word == "set") { getline wanted; getline value; say("not-writable") }
        else if (word == "") break
    }
}

function say(text) { print text; fflush() }

function answer(found,   parts, n, what, row) {
    if (!found) { say("NONE"); return }
    n = split(oids[found], parts, ".")
    row = parts[n]
    what = found <= count ? "name" : parts[n - 1]
    print oids[found]
    if (what == "name") { print "string"; say(port[row] " " direction[row] " power"); return }
    print "integer"
    say(what == 1 ? 1 : what == 2 ? 9 : what == 3 ? 2 : what == 4 ? power(row) : 1)
}

# Place of the first OID that comes after: the order of numbers, part by part. The OIDs are sorted: halving finds it.
function after(wanted,   low, high, middle) {
    low = 1
    high = last + 1
    while (low < high) {
        middle = int((low + high) / 2)
        if (comes_after(oids[middle], wanted)) high = middle
        else low = middle + 1
    }
    return low <= last ? low : 0
}

function comes_after(oid, wanted,   a, b, n, m, i) {
    n = split(wanted, a, ".")
    m = split(oid, b, ".")
    for (i = 2; i <= n && i <= m && a[i] + 0 == b[i] + 0; i++);
    return i <= m && (i > n || b[i] + 0 > a[i] + 0)
}

# Hundredths of dBm; the laser goes on sending into a cut fibre, only what arrives is gone.
function power(row,   file, carrier) {
    if (module) return diagnostics(port[row], direction[row])
    if (direction[row] == "tx") return budget[row]
    file = "/sys/class/net/" port[row] "/carrier"
    carrier = 0
    getline carrier < file
    close(file)
    return carrier == 1 ? budget[row] : floor
}

# What the module's own diagnostics say, as ethtool prints them: "Laser output power : 0.5623 mW / -2.50 dBm".
function diagnostics(device, way,   command, line, found) {
    command = "ethtool -m " device " 2>/dev/null"
    found = floor
    while ((command | getline line) > 0)
        if (index(line, label[way]) && line ~ /\/ *-?[0-9.]+ dBm/) {
            sub(/.*\/ */, "", line)
            found = sprintf("%.0f", line * 100)
        }
    close(command)
    return found
}
