// Package machine says what measurements were made on.
package machine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Rows are of a table in Markdown with two columns: processors, kernel, congestion control and version of Go.
func Rows() string {
	return fmt.Sprintf("| processors | %s |\n| kernel | %s |\n| TCP congestion control | %s |\n| Go | %s |\n", processors(),
		firstLine("/proc/sys/kernel/osrelease"), firstLine("/proc/sys/net/ipv4/tcp_congestion_control"), runtime.Version())
}

// processors are those of the machine; this program may be pinned to one of them.
func processors() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	model, n := runtime.GOARCH, 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "processor":
			n++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("%d × %s", n, model)
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// Output is what a program prints, or what went wrong.
func Output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}
