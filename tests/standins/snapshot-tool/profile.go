package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// startProfiles starts the CPU profile and returns what writes both down at the end. An empty name is none.
func startProfiles(cpu, memory string) (func() error, error) {
	var cpuFile *os.File
	if cpu != "" {
		var err error
		if cpuFile, err = os.Create(cpu); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpuFile); err != nil {
			return nil, err
		}
	}
	return func() error {
		var problems []error
		if cpuFile != nil {
			pprof.StopCPUProfile()
			problems = append(problems, cpuFile.Close())
		}
		if memory != "" {
			problems = append(problems, writeMemoryProfile(memory))
		}
		return errors.Join(problems...)
	}, nil
}

func writeMemoryProfile(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC() // the profile is as of the last collection
	return errors.Join(pprof.WriteHeapProfile(file), file.Close())
}
