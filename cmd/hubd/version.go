package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are written by the linker (see the Makefile), which can only reach package
// variables. Nothing else changes them.
var version, commit string

// versionCommand is hubd version.
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(s *streams) error {
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintln(s.out, versionLine(version, commit, info))
	return err
}

// versionLine describes the build. What the linker did not say comes from the build information, which
// has the version of an installed module and the commit of a checkout; info may be nil.
func versionLine(version, commit string, info *debug.BuildInfo) string {
	if info != nil {
		version = cmp.Or(version, info.Main.Version)
		commit = cmp.Or(commit, revision(info))
	}
	return fmt.Sprintf("hubd %s, commit %s, %s %s/%s",
		cmp.Or(version, "unknown"), cmp.Or(commit, "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision returns the commit that the build information names, marked if the checkout had changes.
func revision(info *debug.BuildInfo) string {
	var commit, mark string
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				mark = "-dirty"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return commit + mark
}
