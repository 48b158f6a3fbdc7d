// Command keystore measures the import of a trusted certificate against keytool's. Run by bench/keystore.sh.
//
//	keystore RUNS FOLDER              measures, and prints a table
//	keystore import STORE ALIAS CERT  is what is measured: one import, the password in STORE_PASS
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"wso2agent/internal/keystore"
)

// password opens the products' default stores.
const password = "wso2carbon"

func main() {
	var err error
	switch {
	case len(os.Args) == 5 && os.Args[1] == "import":
		err = importCertificate(os.Args[2], os.Args[3], os.Args[4], os.Getenv("STORE_PASS"))
	case len(os.Args) == 3:
		err = compare(os.Stdout, os.Args[1], os.Args[2])
	default:
		err = errors.New("usage: keystore RUNS FOLDER")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func importCertificate(file, alias, certFile, password string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(certFile)
	if err != nil {
		return err
	}
	certs, err := keystore.PEM{Max: 1}.Certificates(text)
	if err != nil {
		return fmt.Errorf("%s %w", certFile, err)
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		return err
	}
	if err := store.SetTrusted(alias, certs[0], time.Now()); err != nil {
		return err
	}
	if data, err = store.Encode(); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// bench is one row of the table.
type bench struct {
	name string
	file string // to be copied before every run
}

func compare(out io.Writer, runsText, folder string) error {
	runs, err := strconv.Atoi(runsText)
	if err != nil || runs < 1 {
		return fmt.Errorf("the number of runs is %q, want 1 or more", runsText)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rows, certFile, err := prepare(dir, folder)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "store\tkeytool\tours\tless time\tkeytool\tours\tless memory\t")
	for _, row := range rows {
		copied := filepath.Join(dir, "copy")
		java, err := measure(runs, row.file, copied, "keytool", "-importcert", "-noprompt", "-alias", "peer", "-file", certFile, "-keystore", copied, "-storepass", password)
		if err != nil {
			return err
		}
		ours, err := measure(runs, row.file, copied, self, "import", copied, "peer", certFile)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%d ms\t%.1f ms\t%.0f times\t%d MiB\t%.1f MiB\t%.1f times\t\n", row.name,
			java.wall.Milliseconds(), float64(ours.wall.Microseconds())/1000, float64(java.wall)/float64(ours.wall),
			java.memory>>20, float64(ours.memory)/(1<<20), float64(java.memory)/float64(ours.memory))
	}
	return table.Flush()
}

// prepare lists the stores, with a true JKS made of one, and takes a certificate to import out of another.
func prepare(dir, folder string) ([]bench, string, error) {
	truststore := filepath.Join(folder, "apim-4.5.0", "client-truststore.jks")
	jks := filepath.Join(dir, "true.jks")
	certFile := filepath.Join(dir, "cert.pem")
	for _, args := range [][]string{
		{"-importkeystore", "-srckeystore", truststore, "-srcstorepass", password, "-destkeystore", jks, "-deststoretype", "JKS", "-deststorepass", password, "-noprompt"},
		{"-exportcert", "-rfc", "-alias", "wso2carbon", "-keystore", filepath.Join(folder, "is-7.1.0", "wso2carbon.p12"), "-storepass", password, "-file", certFile},
	} {
		if out, err := exec.Command("keytool", args...).CombinedOutput(); err != nil {
			return nil, "", fmt.Errorf("keytool %s: %w\n%s", args[0], err, out)
		}
	}
	return []bench{
		{"IS 7.1.0 keystore", filepath.Join(folder, "is-7.1.0", "wso2carbon.p12")},
		{"IS 7.1.0 truststore", filepath.Join(folder, "is-7.1.0", "client-truststore.p12")},
		{"API-M 4.5.0 keystore", filepath.Join(folder, "apim-4.5.0", "wso2carbon.jks")},
		{"API-M 4.5.0 truststore", truststore},
		{"the same as true JKS", jks},
	}, certFile, nil
}

// cost of a process: the median of its wall times, and the largest of its peaks of memory in bytes.
type cost struct {
	wall   time.Duration
	memory int64
}

func measure(runs int, file, copied, program string, args ...string) (cost, error) {
	var c cost
	var walls []time.Duration
	data, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	for range runs {
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			return c, err
		}
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "STORE_PASS="+password)
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return c, fmt.Errorf("%s: %w\n%s", program, err, out)
		}
		walls = append(walls, time.Since(start))
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			c.memory = max(c.memory, int64(usage.Maxrss)<<10) // Linux counts in KiB
		}
	}
	slices.SortFunc(walls, cmp.Compare[time.Duration])
	c.wall = walls[len(walls)/2]
	return c, nil
}
