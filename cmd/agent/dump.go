package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/dump"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

func dumpCommand() *cobra.Command {
	var o dump.Options
	var folder string
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write what both servers have as a desired state",
		Long: `dump reads both servers, and prints a file of the desired state. plan of that file shows no difference. dump changes
nothing on the servers.

The servers show no secret, so the file has variables in their place. dump lists them on stderr and at the top of the
file. It also lists what it leaves out, because a file cannot say it. Files, such as documents and certificates, need
--out.

It reaches both servers as plan does. It dumps the applications of the user whose account or client it uses.`,
		Example: `  agent dump > api-config.yaml
  agent dump --out state/                     # with documents, certificates and GraphQL schemas
  agent dump --api Orders --application Shop  # these, and the APIs to which Shop subscribes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeDump(cmd.Context(), o, folder, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringArrayVar(&o.APIs, "api", nil, "dump all versions of the API with this `NAME`; can be repeated")
	cmd.Flags().StringArrayVar(&o.Applications, "application", nil, "dump the application with this `NAME`; can be repeated")
	cmd.Flags().BoolVar(&o.Identity, "identity", false, "also dump users, groups and roles of IS")
	cmd.Flags().StringVar(&folder, "out", "", "write api-config.yaml, its schema, and the files that it names into this `FOLDER`")
	return cmd
}

// writeDump prints the dump to stdout, or writes it into a folder. It prints to stderr what a person has to know about it.
func writeDump(ctx context.Context, o dump.Options, folder string, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	var out *os.Root
	if folder != "" {
		if out, err = emptyFolder(folder); err != nil {
			return err
		}
		defer out.Close()
		o.Save = func(name string, data []byte) error { return saveIn(out, name, data) }
	}
	o.Taken = func(name string) bool { return slices.Contains(config.SettingNames(), name) }
	result, err := dumped(ctx, cfg, o)
	switch {
	case errors.Is(err, dump.ErrUnknown):
		return bootstrap.Permanent(err)
	case err != nil:
		return byHand(err)
	case out == nil:
		_, err = stdout.Write(result.YAML)
	default:
		err = saveConfiguration(o.Save, result.YAML)
	}
	if err != nil {
		return err
	}
	return explain(stderr, result)
}

// saveConfiguration writes the schema that the file names, and then the file.
func saveConfiguration(save func(string, []byte) error, text []byte) error {
	schema, err := desired.Schema()
	if err != nil {
		return err
	}
	if err := save("api-config.schema.json", schema); err != nil {
		return err
	}
	return save(dump.FileName, text)
}

// dumped reads both servers.
func dumped(ctx context.Context, cfg config.Config, o dump.Options) (dump.Result, error) {
	settings := planSettings(cfg)
	if o.Identity && settings.SkipKeyManager {
		return dump.Result{}, remedy.Add(bootstrap.Permanent(errors.New("dump the users of IS: the agent has no IS")), "leave out --identity, or name IS in PEERS")
	}
	want, err := actual.Want(ctx, &desired.File{}, settings)
	if err != nil {
		return dump.Result{}, err
	}
	connection := wso2.Connection{Run: wso2.NewRun(), Routes: cfg.Trust.ConnectTo}
	hc, err := connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	if err != nil {
		return dump.Result{}, err
	}
	defer connection.Close()
	o.Administrator = settings.ISCredentials.User
	settings = reading(cfg, settings, actual.AllRights())
	result, err := dump.From(ctx, actual.Connect(hc, settings), want, o)
	return result, logged(err, connection.Run)
}

// emptyFolder opens a folder for a dump. One that has a desired state is refused: a person may have changed that.
func emptyFolder(folder string) (*os.Root, error) {
	failed := func(err error) (*os.Root, error) {
		return nil, remedy.Add(bootstrap.Permanent(fmt.Errorf("dump into %s: %w", folder, err)), "name a folder of your own, such as a new one")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return failed(err)
	}
	if _, err := os.Lstat(filepath.Join(folder, dump.FileName)); err == nil {
		return failed(fmt.Errorf("it has %s already: %w", dump.FileName, fs.ErrExist))
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return failed(err)
	}
	return root, nil
}

// saveIn writes a file below a folder.
func saveIn(root *os.Root, name string, data []byte) error {
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755); err != nil {
		return err
	}
	return root.WriteFile(filepath.FromSlash(name), data, 0o644)
}

// explain prints what is left out, and the variables.
func explain(w io.Writer, r dump.Result) error {
	for _, text := range r.LeftOut {
		if _, err := fmt.Fprintf(w, "left out: %s\n", text); err != nil {
			return err
		}
	}
	if len(r.Variables) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "The servers show no secret. Set these variables before you use the file:"); err != nil {
		return err
	}
	for _, name := range r.Variables {
		if _, err := fmt.Fprintf(w, "  %s\n", name); err != nil {
			return err
		}
	}
	return nil
}
