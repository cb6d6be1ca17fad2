package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func today() string { return time.Now().UTC().Format(time.DateOnly) }

// fileSystem names what a folder is on. On one in memory, to sync costs nothing.
func fileSystem(folder string) string {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err.Error()
	}
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return err.Error()
	}
	found, kind := "", "unknown"
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(found) {
			continue
		}
		if in, err := filepath.Rel(fields[1], folder); err == nil && in != ".." && !strings.HasPrefix(in, "../") {
			found, kind = fields[1], fmt.Sprintf("%s on %s", fields[2], fields[0])
		}
	}
	return kind
}
