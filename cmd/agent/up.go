package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/keystore"
	"wso2agent/internal/plan"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/up"
)

// laptopKeys is the default of KEYS_FILE on a laptop, in the folder in which people are.
const laptopKeys = "application-keys.json"

func upCommand() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up --is URL --am URL [FILE]",
		Short: "Connect servers that run already, from a laptop",
		Long: `up makes IS and API-M trust each other, restarts them, and brings them to the desired state in FILE. The servers run
already, without an agent next to them. Another run does only what is left, and restarts nothing without a reason.

It imports the certificate of IS into the truststore of API-M as wso2is, and that of API-M into the truststore of IS as
wso2am. It changes no other entry, and keeps a copy of the first original. Then it restarts each server that has to read its
truststore again, and continues as bootstrap does: it registers the key manager, publishes the APIs, makes the
application with its subscriptions and keys, and verifies the result with calls.

The servers run in the containers that IS_CONTAINER and AM_CONTAINER name, or --is-container and --am-container. up edits their
files through the API of Docker or Podman (DOCKER_HOST), and runs no command in them. For servers on this machine
without containers, --is-home and --am-home name their homes; a person then restarts them, unless --restart is given.

The certificate in the keystore shows that the right server answers. Without a container or a home, up shows the
certificate and asks. It also asks about a certificate that WSO2 ships, unless the container publishes its port at the
address on this machine, or the home is on this machine. Without a terminal it needs --pin with the fingerprint.

It writes wso2agent.env into this folder, without secrets. After "set -a; . ./wso2agent.env; set +a" other commands reach
the same servers from this shell, and verify their certificates.

FILE defaults to API_CONFIG, or api-config.yaml in this folder. KEYS_FILE defaults to application-keys.json in this folder.
It exits with 3 after BOOTSTRAP_TIMEOUT, and with 4 if a person must change something.`,
		Example: `  agent up --is https://localhost:9443 --am https://localhost:9444
  agent up --is https://localhost:9443 --am https://localhost:9444 --is-container is-1 --am-container am-1 apis.yaml
  agent up --is https://localhost:9443 --am https://localhost:9444 --is-home ~/wso2is --am-home ~/wso2am`,
		DisableFlagsInUseLine: true,
		Args:                  f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args)
		},
		ValidArgsFunction: yamlFiles,
	}
	cmd.Flags().StringVar(&f.isURL, "is", "", "the `URL` of IS, such as https://localhost:9443")
	cmd.Flags().StringVar(&f.amURL, "am", "", "the `URL` of API-M, such as https://localhost:9444")
	f.places.on(cmd)
	cmd.Flags().StringArrayVar(&f.pins, "pin", nil, "`SERVER=SHA256` of a certificate: is=… or am=…; can be repeated")
	cmd.Flags().BoolVar(&f.restart, "restart", false, "restart servers in homes with their own start scripts")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// places are the flags that say where the files of both servers are.
type places struct{ isContainer, amContainer, isHome, amHome string }

func (p *places) on(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.isContainer, "is-container", "", "the container `NAME` of IS (default: IS_CONTAINER)")
	cmd.Flags().StringVar(&p.amContainer, "am-container", "", "the container `NAME` of API-M (default: AM_CONTAINER)")
	cmd.Flags().StringVar(&p.isHome, "is-home", "", "the home `DIR` of IS on this machine")
	cmd.Flags().StringVar(&p.amHome, "am-home", "", "the home `DIR` of API-M on this machine")
	cmd.MarkFlagDirname("is-home") // these two fail only for a flag that does not exist
	cmd.MarkFlagDirname("am-home")
}

func (p places) check(cmd *cobra.Command) error {
	if p.isContainer != "" && p.isHome != "" {
		return usage(cmd, "name one place of IS, with --is-container or with --is-home")
	}
	if p.amContainer != "" && p.amHome != "" {
		return usage(cmd, "name one place of API-M, with --am-container or with --am-home")
	}
	if p.isContainer != "" && p.isContainer == p.amContainer {
		return usage(cmd, "--is-container and --am-container name the same container")
	}
	if p.isHome != "" && p.amHome != "" && filepath.Clean(p.isHome) == filepath.Clean(p.amHome) {
		return usage(cmd, "--is-home and --am-home name the same folder")
	}
	return nil
}

// targets returns both servers. The default of a setting is no container that somebody has named.
func (p places) targets(cfg config.Config) (is, am up.Target) {
	is = up.Target{Product: config.IS, Container: p.isContainer, Home: p.isHome}
	am = up.Target{Product: config.AM, Container: p.amContainer, Home: p.amHome}
	if is.Container == "" && is.Home == "" {
		is.Container, is.Optional = cfg.IS.Container, !cfg.Given("IS_CONTAINER")
	}
	if am.Container == "" && am.Home == "" {
		am.Container, am.Optional = cfg.AM.Container, !cfg.Given("AM_CONTAINER")
	}
	return is, am
}

// upFlags are the flags of agent up.
type upFlags struct {
	isURL, amURL string
	places
	pins            []string
	restart, asJSON bool
}

func (f *upFlags) check(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(cmd, "takes one file or folder with the desired state")
	}
	if f.isURL == "" || f.amURL == "" {
		return usage(cmd, "needs --is and --am with the addresses of both servers")
	}
	if err := up.CheckURL(f.isURL); err != nil {
		return usage(cmd, "--is is no address of a server: %w", err)
	}
	if err := up.CheckURL(f.amURL); err != nil {
		return usage(cmd, "--am is no address of a server: %w", err)
	}
	if f.isURL == f.amURL {
		return usage(cmd, "--is and --am have the same address, and two servers have two")
	}
	if _, err := f.pinned(nil); err != nil {
		return usage(cmd, "%w", err)
	}
	return f.places.check(cmd)
}

// pinned adds the pins of the flags to those of the settings.
func (f *upFlags) pinned(all map[string][]keystore.Fingerprint) (map[string][]keystore.Fingerprint, error) {
	if all == nil {
		all = map[string][]keystore.Fingerprint{}
	}
	for _, pin := range f.pins {
		product, digits, _ := strings.Cut(pin, "=")
		if product != config.IS && product != config.AM {
			return nil, fmt.Errorf("--pin is not of the form is=SHA256 or am=SHA256")
		}
		fingerprint, err := keystore.ParseFingerprint(digits)
		if err != nil {
			return nil, fmt.Errorf("--pin of %s: %w", product, err)
		}
		all[product] = append(all[product], fingerprint)
	}
	return all, nil
}

func (f *upFlags) run(cmd *cobra.Command, args []string) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	cfg, err := config.Load() // without PRODUCT: a laptop is next to no server
	if err != nil {
		return err
	}
	if len(args) > 0 {
		cfg.Bootstrap.File = args[0]
	} else if !cfg.Given("API_CONFIG") {
		cfg.Bootstrap.File = "api-config.yaml"
	}
	if !cfg.Given("KEYS_FILE") {
		cfg.Bootstrap.KeysFile = laptopKeys
	}
	files := bootstrap.FilesOf(cfg)
	if _, err := files.Desired(); err != nil { // before anything is changed
		return err
	}
	if err := files.CheckKeys(); err != nil {
		return err
	}
	if err := up.CheckEnv(up.EnvFile); err != nil {
		return err
	}
	o := up.Options{Config: cfg, RestartHomes: f.restart, Engine: func() (*docker.Engine, error) { return docker.Open(os.Getenv) }, Out: stdout}
	if f.asJSON {
		o.Out = stderr
	}
	o.IS, o.AM = f.targets(cfg)
	o.IS.URL, o.AM.URL = f.isURL, f.amURL
	if o.Pins, err = f.pinned(up.PinsOf(cfg)); err != nil {
		return err
	}
	o.Confirm = func(all []up.Shown) error { return confirmCertificates(cmd, all) }
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), cfg.Bootstrap.Timeout, fmt.Errorf("%w: BOOTSTRAP_TIMEOUT, %s, has passed", agent.ErrTimeout, cfg.Bootstrap.Timeout))
	defer cancel()
	warnings := up.NewWarnings(telemetry.Logger(stderr, cfg.Report.LogLevel, cfg.Report.LogFormat).Handler())
	log := slog.New(warnings)
	r, err := up.Run(ctx, o, func(ctx context.Context, reached up.Reached) (int, error) {
		if err := up.WriteEnv(up.EnvFile, reached, os.Getenv); err != nil {
			return 0, err
		}
		return up.Bootstrap(ctx, log, reached)
	})
	if errors.Is(err, up.ErrNobody) { // a flag is missing
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if f.asJSON {
		return writeJSON(stdout, map[string]any{"steps": append([]up.Step{}, r.Steps...), "changes": r.Changes, "warnings": warnings.Remaining()})
	}
	return printUp(stdout, r, cfg.Bootstrap.KeysFile, warnings.Remaining())
}

// printUp says what a run has done, and what is left to a person.
func printUp(w io.Writer, r up.Result, keys string, remaining []up.Remaining) error {
	if len(remaining) > 0 {
		fmt.Fprintln(w, "remains to be done:")
	}
	for _, one := range remaining {
		fmt.Fprintf(w, "  - %s\n    %s\n", printable(one.What), printable(one.Remedy))
	}
	fmt.Fprintf(w, "other commands reach these servers after: set -a; . ./%s; set +a\n", up.EnvFile)
	state := "everything works"
	if n := len(remaining); n > 0 {
		state = fmt.Sprintf("the verified calls work, warnings: %d", n)
	}
	_, err := fmt.Fprintf(w, "up: %d steps, %d changes on the servers, keys in %s; %s\n", len(r.Steps), r.Changes, keys, state)
	return err
}

// confirmCertificates shows certificates and asks whether they are the right ones. Nobody has verified who has written the texts in them: they
// must not steer the terminal, and the fingerprint comes after them.
func confirmCertificates(cmd *cobra.Command, all []up.Shown) error {
	if err := showCertificates(cmd.ErrOrStderr(), all); err != nil {
		return err
	}
	return ask(cmd, "Do you trust this, and is it the right server?")
}

func showCertificates(w io.Writer, all []up.Shown) error {
	for _, c := range all {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "%s at %s presents this certificate:\n", c.Server, c.URL)
		fmt.Fprintf(table, "  subject\t%s\n  names\t%s\n  expires\t%s\n", plan.Escaped(c.Subject), plan.Escaped(strings.Join(c.Names, ", ")), c.Expires.UTC().Format(time.RFC3339))
		if c.Shipped {
			fmt.Fprint(table, "  warning\tWSO2 ships this certificate: everybody has its key\n")
		}
		fmt.Fprintf(table, "  SHA-256\t%s\n", c.Fingerprint)
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}
