package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/trust"
)

// certsCommands are the words behind `agent certs`.
func certsCommands() []command {
	return []command{
		{"list", "[--json]", "list all entries", certsList},
		{"show", "--alias NAME", "show all of one entry", certsShow},
		{"check", "[--json]", "find what is wrong or will be; exit code 1 if something is", certsCheck},
		{"export", "--alias NAME", "print a certificate, or a key's chain, as PEM; never a private key", certsExport},
		{"import", "--alias NAME --cert FILE.pem [--replace]", "make a certificate trusted", certsImport},
		{"delete", "--alias NAME", "delete a trusted certificate; never a key", certsDelete},
		{"rotate", "", "ask the agent beside the own server for a new certificate (TLS_MODE=issue)", certsRotate},
	}
}

func certsCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		certsUsage(stdout)
		return nil
	}
	if slices.ContainsFunc(args, isPassword) {
		return usageError{"agent certs takes no password as an argument, where every user of the machine can read it: set TRUSTSTORE_PASS (with --keystore: KEYSTORE_PASS), or name a file in the same with _FILE behind it"}
	}
	for _, c := range certsCommands() {
		if len(args) > 0 && c.name == args[0] {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	return usageError{"agent certs is followed by list, show, check, export, import, delete or rotate; agent certs help tells more"}
}

func certsUsage(w io.Writer) {
	fmt.Fprintf(w, "agent certs looks into any JKS or PKCS#12 store, and edits its trusted certificates.\n\nusage:\n")
	for _, c := range certsCommands() {
		fmt.Fprintf(w, "  agent certs %-50s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprintf(w, `
--store FILE names the store, its password comes from TRUSTSTORE_PASS or TRUSTSTORE_PASS_FILE;
--keystore FILE likewise with KEYSTORE_PASS or KEYSTORE_PASS_FILE. Both passwords are wso2carbon if nothing is set.
With neither, list, show, check and export look into the own server's truststore (see PRODUCT).
`)
}

// isPassword recognises the attempt to give a password, by this or keytool's name, with one dash or two.
func isPassword(arg string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return strings.HasPrefix(arg, "-") && slices.Contains([]string{"pass", "password", "storepass", "keypass"}, name)
}

// certsFlags are what the words behind `agent certs` have in common.
type certsFlags struct {
	*flag.FlagSet
	store, keystore string
	alias           string
	json            bool
}

func newCertsFlags(word string) *certsFlags {
	f := &certsFlags{FlagSet: flag.NewFlagSet(word, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	f.StringVar(&f.store, "store", "", "truststore")
	f.StringVar(&f.keystore, "keystore", "", "keystore")
	return f
}

// withAlias and withJSON add a flag that not every word has.
func (f *certsFlags) withAlias() *certsFlags {
	f.StringVar(&f.alias, "alias", "", "alias")
	return f
}

func (f *certsFlags) withJSON() *certsFlags {
	f.BoolVar(&f.json, "json", false, "JSON")
	return f
}

// parse refuses anything that is not a flag of this word, and an alias that is missing.
func (f *certsFlags) parse(args []string) error {
	err := f.Parse(args)
	why := ""
	switch {
	case err != nil:
		why = err.Error()
	case f.NArg() > 0:
		why = "everything but the word itself is a flag" // not what it is: it may be a password
	case f.store != "" && f.keystore != "":
		why = "name one store, with --store or with --keystore"
	case f.Lookup("alias") != nil && f.alias == "":
		why = "name the entry with --alias"
	default:
		return nil
	}
	return usageError{fmt.Sprintf("agent certs %s: %s; agent certs help tells more", f.Name(), why)}
}

// open is the store that was named, or the own server's truststore.
func (f *certsFlags) open() (trust.Store, config.Config, error) {
	var required []string
	if f.store == "" && f.keystore == "" {
		required = []string{"PRODUCT"}
	}
	cfg, err := config.Load(required...)
	if err != nil {
		return trust.Store{}, cfg, err
	}
	switch {
	case f.keystore != "":
		return trust.Store{Path: f.keystore, Password: cfg.KeystorePass, Setting: "KEYSTORE_PASS", Named: true}, cfg, nil
	case f.store != "":
		return trust.Store{Path: f.store, Password: cfg.TruststorePass, Setting: "TRUSTSTORE_PASS", Named: true}, cfg, nil
	}
	return trust.Store{Path: cfg.TruststorePath(), Password: cfg.TruststorePass, Setting: "TRUSTSTORE_PASS"}, cfg, nil
}
