module roost-ring-c

go 1.21
