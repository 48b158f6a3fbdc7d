package wso2sim

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"wso2agent/internal/keystore"
)

// The poll of listenerprofiles.xml, in org.apache.synapse.transport.dynamicconfigurations and its default in API Manager.
const (
	profilesInterval    = 10 * time.Minute
	profilesMinInterval = time.Minute
	listenerTable       = "transport.passthru_https.listener"
)

// readProfilesInterval is the time between two polls.
func readProfilesInterval(s settings) (time.Duration, error) {
	var interval time.Duration
	switch value := s.at(listenerTable + ".ssl_profile_interval").(type) {
	case nil:
		interval = profilesInterval
	case int64:
		interval = time.Duration(value) * time.Millisecond
	default:
		ms, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s.ssl_profile_interval: NumberFormatException: want milliseconds", listenerTable)
		}
		interval = time.Duration(ms) * time.Millisecond
	}
	return max(interval, profilesMinInterval), nil
}

// profiles is listenerprofiles.xml.
type profiles struct {
	XMLName xml.Name  `xml:"parameter"`
	Name    string    `xml:"name,attr"`
	List    []profile `xml:"profile"`
}

type profile struct {
	BindAddress string       `xml:"bindAddress"`
	KeyStore    profileStore `xml:"KeyStore"`
	TrustStore  profileStore `xml:"TrustStore"`
}

type profileStore struct {
	Location    string `xml:"Location"` // relative to the home
	Type        string `xml:"Type"`
	Password    string `xml:"Password"`
	KeyPassword string `xml:"KeyPassword,omitempty"`
}

// renderProfiles makes listenerprofiles.xml out of the configuration, as the template of API Manager does.
func renderProfiles(s settings) ([]byte, error) {
	_, listener := keyStores(s, amKeystore)
	trusted := trustStore(s, amTruststore)
	text, err := xml.MarshalIndent(profiles{Name: "SSLProfiles", List: []profile{{
		BindAddress: s.text("keystore.listener_profile.bind_address", "0.0.0.0"),
		KeyStore:    profileStore{listener.file, s.text("keystore.tls.type", "JKS"), listener.password, listener.keyPassword},
		TrustStore:  profileStore{Location: trusted.file, Type: s.text("truststore.type", "JKS"), Password: trusted.password},
	}}}, "", "    ")
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", profilesFile, err)
	}
	return append([]byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n"), append(text, '\n')...), nil
}

// writeProfiles brings listenerprofiles.xml of the home in line with the configuration, as every start does.
func (am *AM) writeProfiles() error {
	text, err := renderProfiles(am.settings)
	if err != nil {
		return err
	}
	path := filepath.Join(am.home, profilesFile)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
		return nil
	}
	return writeNew(path, text)
}

// pollProfiles loads the gateway's store again whenever listenerprofiles.xml has become younger; the store itself is
// not looked at. After a failed reload either the next change counts, or none does until the server starts again: see
// fallsBack.
func (am *AM) pollProfiles(c *secured) {
	path, seen, stuck := filepath.Join(am.home, profilesFile), time.Now(), false
	am.work.Go(func() {
		for am.sleep(am.period(am.profilesInterval)) {
			info, err := os.Stat(path)
			if err != nil || info.ModTime().UnixMilli() <= seen.UnixMilli() {
				continue
			}
			seen = info.ModTime()
			if stuck {
				continue
			}
			pair, err := am.readProfile(path)
			if err != nil {
				stuck = !am.fallsBack()
				am.log.Error("Error reloading dynamic SSL configurations for Listeners", "error", err)
				continue
			}
			c.replace(pair)
			am.log.Info("the gateway has loaded its certificate again", "profiles", profilesFile)
		}
	})
}

// readProfile loads the stores of the first profile.
func (am *AM) readProfile(path string) (tls.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the profiles: %w", err)
	}
	var all profiles
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if err := decoder.Decode(&all); err != nil {
		return tls.Certificate{}, fmt.Errorf("read the profiles %s: %w", path, err)
	}
	if len(all.List) == 0 {
		return tls.Certificate{}, fmt.Errorf("read the profiles %s: there is none", path)
	}
	p := all.List[0]
	if _, err := openStore(am.home, storeSettings{file: p.TrustStore.Location, password: p.TrustStore.Password}); err != nil {
		return tls.Certificate{}, err
	}
	return am.readUnnamedKey(p.KeyStore)
}

// readUnnamedKey reads the key of a store whose description names none: the configured alias if the store has it, or
// else the first key.
func (am *AM) readUnnamedKey(p profileStore) (tls.Certificate, error) {
	at := storeSettings{file: p.Location, password: p.Password, keyPassword: p.KeyPassword}
	store, err := openStore(am.home, at)
	if err != nil {
		return tls.Certificate{}, err
	}
	for _, e := range store.Entries() {
		if e.Kind == keystore.KeyEntry && (at.alias == "" || e.Alias == am.listener.alias) {
			at.alias = e.Alias
		}
	}
	if at.alias == "" {
		return tls.Certificate{}, fmt.Errorf("read the key of %s: it has none", at.file)
	}
	_, pair, err := readKey(am.home, at)
	return pair, err
}

// fallsBack says whether the gateway can load its store again after a reload that has failed: only with the store of the
// listener's key_store table, all of whose four values have to be there and to open it.
func (am *AM) fallsBack() bool {
	value := func(key string) string { return am.settings.text(listenerTable+".key_store."+key, "") }
	p := profileStore{value("location"), value("type"), value("password"), value("key_password")}
	if p.Location == "" || p.Type == "" || p.Password == "" || p.KeyPassword == "" {
		return false
	}
	_, err := am.readUnnamedKey(p)
	return err == nil
}
