package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/machine"
)

// result is what one process measured.
type result struct {
	Ops     float64 // per second
	CPU     float64 // µs per operation
	Memory  float64 // MiB, the peak of the resident set
	File    float64 // MiB, what the database and its log take in the end
	Comment string  `json:",omitempty"`
}

func main() {
	log.SetFlags(0)
	var (
		dir     = flag.String("dir", ".", "folder to put the files into")
		runs    = flag.Int("runs", 3, "how often each is measured")
		who     = flag.String("who", "ncruces,modernc,modernc-sql", "contenders")
		jobs    = flag.String("jobs", strings.Join(jobNames(), ","), "what is measured")
		layouts = flag.String("parts", "clustered", "how parts are kept: clustered (WITHOUT ROWID), rowid")
		one     = flag.Bool("one", false, "measure once, in this process, and print it as JSON")
	)
	flag.Parse()
	if *one {
		r, err := measure(*jobs, *who, *layouts, *dir)
		if err != nil {
			log.Fatalf("%s, %s: %v", *jobs, *who, err)
		}
		json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	fmt.Print(machine.Rows())
	for _, job := range strings.Split(*jobs, ",") {
		all := make(map[string][]result)
		var order []string
		for range *runs {
			for _, name := range strings.Split(*who, ",") {
				for _, layout := range strings.Split(*layouts, ",") {
					title := name + ", " + layout
					r, err := spawn(*dir, job, name, layout)
					if err != nil {
						log.Fatalf("%s, %s: %v", job, title, err)
					}
					if all[title] == nil {
						order = append(order, title)
					}
					all[title] = append(all[title], r)
				}
			}
		}
		fmt.Printf("\n| %s | per second | CPU µs | peak MiB | file MiB | |\n|---|--:|--:|--:|--:|---|\n", job)
		for _, title := range order {
			list := all[title]
			median := func(of func(result) float64) float64 {
				var values []float64
				for _, r := range list {
					values = append(values, of(r))
				}
				return load.Median(values)
			}
			fmt.Printf("| %s | %.0f | %.1f | %.0f | %.1f | %s |\n", title,
				median(func(r result) float64 { return r.Ops }), median(func(r result) float64 { return r.CPU }),
				median(func(r result) float64 { return r.Memory }), median(func(r result) float64 { return r.File }), list[len(list)-1].Comment)
		}
	}
}

// spawn measures in a process and a folder of its own.
func spawn(dir, job, who, layout string) (r result, err error) {
	tmp, err := os.MkdirTemp(dir, "sqlite-drivers-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp)
	out, err := self("-one", "-jobs", job, "-who", who, "-parts", layout, "-dir", tmp).Output()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, err
	}
	files, _ := filepath.Glob(filepath.Join(tmp, "*"))
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			r.File += float64(info.Size()) / (1 << 20)
		}
	}
	return r, nil
}

func self(args ...string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = io.Writer(os.Stderr)
	return cmd
}
