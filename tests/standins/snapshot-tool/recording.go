package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// recording is what the real tool of one version did with an archive.
type recording struct {
	stderr, stdout []byte
	exitCode       int
}

// find returns what was recorded for an archive with the same pods, bind requests and actions; where there are several,
// for the one whose plugins are most like it.
func find(directory, version string, wanted fingerprint) (recording, error) {
	archives, err := filepath.Glob(filepath.Join(directory, "*", "snapshot.zip"))
	if err != nil {
		return recording{}, err
	}
	best, bestDistance := "", 0
	for _, path := range archives {
		candidate, err := readArchive(path)
		if err != nil {
			return recording{}, err
		}
		if candidate.objects != wanted.objects || candidate.actions != wanted.actions {
			continue
		}
		if d := distance(candidate.plugins, wanted.plugins); best == "" || d < bestDistance {
			best, bestDistance = filepath.Dir(path), d
		}
	}
	if best == "" {
		return recording{}, errors.New("this is a stand-in for snapshot-tool, and it has no recording of an archive " +
			"with these pods, bind requests and actions")
	}
	return load(pick(filepath.Join(best, version)))
}

// pick takes one of the recordings of a version: VERSION, VERSION.2, VERSION.3 and so on. The real tool, too, does not
// do the same thing each time.
func pick(path string) string {
	others, _ := filepath.Glob(path + ".[2-9].stderr.gz") // the pattern is a good one
	if n := rand.IntN(len(others) + 1); n > 0 {
		return strings.TrimSuffix(others[n-1], ".stderr.gz")
	}
	return path
}

func load(path string) (recording, error) {
	squeezed, err := os.ReadFile(path + ".stderr.gz")
	if err != nil {
		return recording{}, fmt.Errorf("this is a stand-in for snapshot-tool, and it has no recording of this version: %w", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(squeezed))
	if err != nil {
		return recording{}, err
	}
	stderr, err := io.ReadAll(reader)
	if err != nil {
		return recording{}, err
	}
	stdout, err := os.ReadFile(path + ".stdout")
	if err != nil {
		return recording{}, err
	}
	exit, err := os.ReadFile(path + ".exit")
	if err != nil {
		return recording{}, err
	}
	exitCode, err := strconv.Atoi(strings.TrimSpace(string(exit)))
	return recording{stderr, stdout, exitCode}, err
}

// behave does what was recorded, or makes one of the troubles the real tool is known for. It returns the exit code.
func behave(how string, r recording) int {
	switch how {
	case "":
		os.Stderr.Write(r.stderr)
		os.Stdout.Write(r.stdout)
		return r.exitCode
	case "slow":
		os.Stderr.Write(half(r.stderr))
		time.Sleep(30 * time.Second)
		os.Stderr.Write(r.stderr[len(half(r.stderr)):])
		os.Stdout.Write(r.stdout)
		return r.exitCode
	case "hang": // as v0.14.3 does in reclaim
		os.Stderr.Write(half(r.stderr))
		for {
			time.Sleep(time.Hour)
		}
	case "oom":
		os.Stderr.Write(half(r.stderr))
		devour()
	case "panic":
		os.Stderr.Write(half(r.stderr))
		panic("the stand-in was told to panic")
	case "silent": // exit code 0, and no action has run
		before, _, _ := bytes.Cut(r.stderr, []byte("Enter "))
		os.Stderr.Write(before[:bytes.LastIndexByte(before, '\n')+1])
		return 0
	}
	fatal("no such behaviour: " + how)
	return 1
}

func half(text []byte) []byte {
	return text[:bytes.LastIndexByte(text[:len(text)/2], '\n')+1]
}

// devour takes memory, and writes to it, until it is stopped.
func devour() {
	var hoard [][]byte
	for {
		block := make([]byte, 16<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		hoard = append(hoard, block)
		time.Sleep(5 * time.Millisecond)
	}
}
