package up

import (
	"errors"
	"fmt"
	"path"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// Places of files below the home of a server, and below its config volume.
const (
	settingsPath = "repository/conf/deployment.toml"
	securityPath = "repository/resources/security"
	recordPath   = file.WorkDir + "/up.json"
)

// recordLimit is the largest size of a record, in bytes.
const recordLimit = 4096

// Files are the stores of a server, as they were read at one moment.
type Files struct {
	Own     keystore.Certificate // of the key that the server presents
	Entries []trust.Entry        // of the truststore
	Record  Record
	Start   string // names the process that runs; another one after each start
	Cut     bool   // the truststore was cut off, and data is what it was to become

	torn     bool   // the record was cut off
	root     string // the folder that has the truststore: the home, or a volume that the entrypoint copies over it
	path     string // of the truststore, below root
	data     []byte // of the truststore
	password string // of the truststore
	setting  config.Config
}

// Record is what a run leaves next to a truststore for the next one.
type Record struct {
	Unread  string `json:"unread,omitempty"`  // the process that runs with an older truststore
	Writing bool   `json:"writing,omitempty"` // the truststore was being written: if it is cut off, the next one is whole
}

// open opens the stores. It fills what Files has of them.
func (f *Files) open(keystoreData, truststoreData []byte, keystorePath, truststorePath string) error {
	own, err := keystore.Open(keystoreData, f.setting.Keystore.Pass)
	if err != nil {
		return opened(err, keystorePath, "KEYSTORE_PASS")
	}
	if f.Own, err = own.Leaf(f.setting.Keystore.Alias); err != nil {
		return remedy.Add(fmt.Errorf("find the certificate of the server in %s: %w", keystorePath, err), "set KEYSTORE_ALIAS")
	}
	store, err := keystore.Open(truststoreData, f.setting.Truststore.Pass)
	if err != nil {
		return opened(err, truststorePath, "TRUSTSTORE_PASS")
	}
	f.data, f.password = truststoreData, f.setting.Truststore.Pass
	f.Entries, err = trust.EntriesOf(store, names())
	return err
}

func opened(err error, path, setting string) error {
	err = fmt.Errorf("open %s: %w", path, err)
	if errors.Is(err, keystore.ErrPassword) {
		return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "set %s or %s_FILE", setting, setting))
	}
	return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "restore the file; the agent has not touched it"))
}

// edited returns the truststore with the changes.
func (f Files) edited(changes []trust.Change, certificates map[string]keystore.Certificate) ([]byte, error) {
	store, err := keystore.Open(f.data, f.password)
	if err == nil {
		err = trust.Edit(store, changes, certificates)
	}
	if err != nil {
		return nil, err
	}
	return store.Encode()
}

// storePath returns where a store is below a home. The products' settings name it below the folder of the stores.
func storePath(name string) string { return path.Join(securityPath, name) }

// settings returns the agent's settings with the stores that the text of a deployment.toml names; nil for none.
func settings(cfg config.Config, text []byte) (config.Config, error) {
	cfg, err := server.WithStores(cfg, text)
	if err != nil {
		return cfg, fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	return cfg, nil
}
