package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

func certsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "certs",
		Short: "Show any keystore, and edit its trusted certificates",
		Long: `certs shows any JKS or PKCS#12 store, and edits its trusted certificates.

--store FILE names the store; TRUSTSTORE_PASS or TRUSTSTORE_PASS_FILE holds its password.
--keystore FILE does the same with KEYSTORE_PASS or KEYSTORE_PASS_FILE. Both passwords default to wso2carbon.
Without either flag, list, show, check and export use the truststore of the own server (see PRODUCT).`,
		Example: `  agent certs list --store client-truststore.jks
  agent certs import --store client-truststore.jks --alias wso2is --cert wso2is.pem`,
	})
	cmd.SetFlagErrorFunc(refusePassword)
	cmd.AddCommand(certsListCommand(), certsShowCommand(), certsCheckCommand(), certsExportCommand(), certsImportCommand(), certsDeleteCommand(), certsRotateCommand())
	return cmd
}

// refusePassword recognizes the attempt to give a password, by this or keytool's name. It never repeats the password.
func refusePassword(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if name, _ := unknownFlag(unknown); slices.Contains([]string{"pass", "password", "storepass", "keypass"}, name) {
			return usageError{remedy.Add(fmt.Errorf("%s takes no password as an argument, because every user of the machine can read arguments", cmd.CommandPath()),
				"set TRUSTSTORE_PASS or TRUSTSTORE_PASS_FILE; with --keystore, KEYSTORE_PASS or KEYSTORE_PASS_FILE")}
		}
	}
	return flagError(cmd, err)
}

// certsFlags are the flags that the commands below certs have in common.
type certsFlags struct {
	store, keystore string
	alias           string
	json            bool
}

// on adds the flags that name the store to cmd, and checks them in place of arguments.
func (f *certsFlags) on(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.store, "store", "", "the truststore `FILE`; TRUSTSTORE_PASS holds its password")
	cmd.Flags().StringVar(&f.keystore, "keystore", "", "the keystore `FILE`; KEYSTORE_PASS holds its password")
	cmd.MarkFlagFilename("store") // these two fail only for a flag that does not exist
	cmd.MarkFlagFilename("keystore")
	cmd.Args = f.check
	return cmd
}

// withAlias adds a flag that some commands have.
func (f *certsFlags) withAlias(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.alias, "alias", "", "`NAME` of the entry, in any case of letters")
	return cmd
}

// withJSON adds a flag that some commands have.
func (f *certsFlags) withJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// check refuses arguments, two stores, and a missing alias. It repeats no argument, because one of them may be a password.
func (f *certsFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0:
		return noArgs(cmd, args)
	case f.store != "" && f.keystore != "":
		return usage(cmd, "name one store, with --store or with --keystore")
	case cmd.Flags().Lookup("alias") != nil && f.alias == "":
		return usage(cmd, "name the entry with --alias")
	}
	return nil
}

// checkNamed is check for commands that change a store. The store must be named: nobody should edit the store that an agent keeps
// because a flag is missing.
func (f *certsFlags) checkNamed(cmd *cobra.Command, args []string) error {
	if err := f.check(cmd, args); err != nil {
		return err
	}
	if f.store == "" && f.keystore == "" {
		return usage(cmd, "name the store with --store or --keystore")
	}
	return nil
}

// open returns the store that the flags name, or the own server's truststore.
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
		return trust.Store{Path: f.keystore, Password: cfg.Keystore.Pass, Setting: "KEYSTORE_PASS", Named: true}, cfg, nil
	case f.store != "":
		return trust.Store{Path: f.store, Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS", Named: true}, cfg, nil
	}
	return trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}, cfg, nil
}

// editor returns what import and delete change the store with.
func (f *certsFlags) editor(stderr io.Writer) (trust.Editor, error) {
	store, cfg, err := f.open()
	return trust.Editor{
		Store:   store,
		WorkDir: cfg.VolumeWorkDir(store.Path),
		Waiting: func() { fmt.Fprintf(stderr, "waiting for another agent that is changing %s\n", store.Path) },
	}, err
}
