#!/bin/sh
# Cuts what rounding leaves out of the table of layertap diff: it differs between processors.
exec awk '$3 ~ /^(path|folded|name|structure|request|input|output|place)$/ && NF >= 10 { $5 = $6 = "*" }
          $1 == "layer" { $1 = $1 } { print }'
