// Command app stands in for KAI Scheduler's snapshot-tool in tests and in the demo, where the real images cannot be
// pulled. It keeps the tool's contract (flags, streams, exit codes) but schedules nothing: it prints what the real tool
// of one version printed for an archive, found by what is in the archive.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

const notice = `This is a stand-in for KAI Scheduler's snapshot-tool %s. It schedules nothing:
it prints what the real tool of that version once printed for the same archive.

`

func main() {
	version := os.Getenv("STANDIN_VERSION")
	recordings := os.Getenv("STANDIN_RECORDINGS")

	filename := flag.String("filename", "", "location of the zipped snapshot file")
	flag.Int("verbosity", 4, "logging verbosity; what is printed was recorded at 4")
	cpuProfile := flag.String("cpuprofile", "", "file to write a CPU profile of this program to")
	memoryProfile := flag.String("memprofile", "", "file to write a memory profile of this program to")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), notice, version)
		fmt.Fprintf(flag.CommandLine.Output(), "Usage of %s:\n", os.Args[0])
		flag.PrintDefaults()
	}
	flag.Parse()
	if *filename == "" {
		flag.Usage()
		return // with exit code 0, as the real one
	}

	finish, err := startProfiles(*cpuProfile, *memoryProfile)
	if err != nil {
		fatal(err.Error())
	}
	archive, err := readArchive(*filename)
	if err != nil {
		fatal(err.Error())
	}
	recording, err := find(recordings, version, archive)
	if err != nil {
		fatal(err.Error())
	}
	exitCode := behave(os.Getenv("STANDIN_BEHAVIOUR"), recording)
	if err := finish(); err != nil {
		fatal(err.Error())
	}
	os.Exit(exitCode)
}

// fatal ends the program the way the tool's logger does.
func fatal(message string) {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	fmt.Fprintf(os.Stderr, "%s\t\x1b[31mFATAL\x1b[0m\tsnapshot-tool/main.go:71\t[\x1b[32msnapshot-runner\x1b[0m] %s\n", now, message)
	os.Exit(1)
}
