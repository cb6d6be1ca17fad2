package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// findBinaries returns the directory that has initdb and postgres: that of the newest version where distributions put them,
// or one of PATH.
func findBinaries() (string, error) {
	best, dir := 0, ""
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres"} {
		found, _ := filepath.Glob(pattern) // the patterns are good
		for _, file := range found {
			if v := version(file); v > best && executable(filepath.Join(filepath.Dir(file), "initdb")) {
				best, dir = v, filepath.Dir(file)
			}
		}
	}
	if dir != "" {
		return dir, nil
	}
	if file, err := exec.LookPath("postgres"); err == nil && executable(filepath.Join(filepath.Dir(file), "initdb")) {
		return filepath.Dir(file), nil
	}
	return "", fmt.Errorf("%w: install its server, with initdb (on Debian: apt-get install postgresql)", errMissing)
}

// version reads the number in a path such as /usr/lib/postgresql/15/bin/postgres.
func version(file string) int {
	name := filepath.Base(filepath.Dir(filepath.Dir(file)))
	for len(name) > 0 && (name[0] < '0' || name[0] > '9') {
		name = name[1:]
	}
	n, _ := strconv.Atoi(name) // 0 if it is none
	return n
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode()&0o111 != 0
}
