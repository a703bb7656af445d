package main

import (
	"archive/zip"
	"encoding/json"
	"slices"
	"strings"
)

type object struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
}

type snapshot struct {
	Config *struct {
		Actions string `json:"actions"`
		Tiers   []struct {
			Plugins []struct {
				Name string `json:"name"`
			} `json:"plugins"`
		} `json:"tiers"`
	} `json:"config"`
	RawObjects struct {
		Pods         []object `json:"pods"`
		BindRequests []object `json:"bindRequests"`
	} `json:"rawObjects"`
}

// fingerprint is what tells archives apart. Preparing an archive changes its plugins, heals its configuration, moves its
// times and patches objects; the UIDs of its pods and bind requests stay what they were.
type fingerprint struct {
	objects string
	actions string // "null" for a configuration that is null
	plugins []string
}

func readArchive(path string) (fingerprint, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fingerprint{}, err
	}
	defer archive.Close()
	member, err := archive.Open("snapshot.json")
	if err != nil {
		return fingerprint{}, err
	}
	defer member.Close()
	var found snapshot
	if err := json.NewDecoder(member).Decode(&found); err != nil {
		return fingerprint{}, err
	}
	return found.fingerprint(), nil
}

func (s snapshot) fingerprint() fingerprint {
	result := fingerprint{objects: uids(s.RawObjects.Pods) + "/" + uids(s.RawObjects.BindRequests), actions: "null"}
	if s.Config == nil {
		return result
	}
	result.actions = strings.ReplaceAll(s.Config.Actions, " ", "")
	for _, tier := range s.Config.Tiers {
		for _, plugin := range tier.Plugins {
			result.plugins = append(result.plugins, plugin.Name)
		}
	}
	return result
}

func uids(objects []object) string {
	var all []string
	for _, object := range objects {
		all = append(all, object.Metadata.UID)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// distance counts the plugins that only one of the two has.
func distance(a, b []string) int {
	count := 0
	for _, name := range a {
		if !slices.Contains(b, name) {
			count++
		}
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			count++
		}
	}
	return count
}
