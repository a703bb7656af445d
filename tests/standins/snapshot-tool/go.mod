module kai-snapshot.io/standins/snapshot-tool

go 1.25.0
