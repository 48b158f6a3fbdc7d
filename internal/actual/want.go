package actual

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/lease"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Want returns the desired state with what the file refers to: the key manager that the agent registers, the files of documents and
// certificates, and the definitions of APIs. The error is [desired.Problems] with all that a person must change in the file, or wraps
// [bootstrap.ErrPermanent] if the settings are wrong. Any other error says that a site does not give a definition now.
func Want(ctx context.Context, f *desired.File, s bootstrap.Settings) (plan.Wanted, error) {
	s, err := s.Normalised()
	if err != nil {
		return plan.Wanted{}, err
	}
	want := plan.Wanted{
		File: f, KeyManager: s.KeyManagerName, VHost: s.VHost,
		Contents: map[string][]byte{}, Fingerprints: map[string]string{}, Certificates: map[string][]byte{},
	}
	if s.SkipKeyManager {
		want.Spared = s.KMName
	} else {
		want.Own = ownKeyManager(s)
	}
	var problems desired.Problems
	if is := f.IdentityServer; is.Set && !is.Null && s.SkipKeyManager {
		problems.Add(is.At, "remove it, or name IS in PEERS", "identity_server needs an Identity Server, and the agent has none")
	}
	for _, app := range f.Applications.Value {
		if name := app.Value.Name; strings.EqualFold(name.Value, lease.Application) {
			problems.Add(name.At, "choose another name", "application %q is the lease by which runs of the agent take turns", name.Value)
		}
	}
	definitions := newDefinitions(s.CAFile)
	definitions.readAll(ctx, f)
	want.Definitions = definitions.read
	problems = append(problems, definitions.problems...)
	for _, item := range f.APIs.Value {
		api := item.Value
		for _, d := range api.Documents.Value {
			if name := d.Value.File; name.Set {
				want.Contents[desired.PathOf(name)] = contents("the document", name, &problems)
			}
		}
		for _, c := range api.Certificates.Value {
			der, path := certificateIn(c.Value.File, &problems), desired.PathOf(c.Value.File)
			want.Fingerprints[path] = fingerprint(der)
			want.Certificates[path] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
	}
	if len(problems) > 0 {
		return want, f.Sorted(problems).Err()
	}
	return want, definitions.failed
}

// contents returns the bytes of a file that the configuration names.
func contents(what string, name desired.Text, problems *desired.Problems) []byte {
	data, err := file.Read(desired.PathOf(name), wso2.MaxUpload)
	if err != nil {
		problems.Add(name.At, "", "the agent cannot read %s: %v", what, err)
	}
	return data
}

// certificateIn returns the first certificate in a file, which is in PEM or DER, as DER.
func certificateIn(name desired.Text, problems *desired.Problems) []byte {
	before := len(*problems)
	der := contents("the endpoint certificate", name, problems)
	if len(*problems) > before {
		return nil
	}
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		problems.Add(name.At, "name a file with a certificate in PEM or DER", "%s is no endpoint certificate: %v", name.Shown(), err)
	}
	return der
}

// ownKeyManager returns IS as a bootstrap registers it. The issuer is IS's own word, which only IS knows, so it is left out.
func ownKeyManager(s bootstrap.Settings) desired.KeyManager {
	own := plan.IdentityServerKeyManager(s.ISURL)
	token, revoke := s.DisplayedEndpoints()
	own.Name, own.DisplayName, own.Description = text(s.KMName), text(s.KMName), text(bootstrap.KeyManagerDescription)
	own.DisplayTokenEndpoint, own.DisplayRevokeEndpoint = text(token), text(revoke)
	if s.KMUser.Record != "" { // the user is a matter of the settings: bootstrap.RegisterUser chooses it
		return own
	}
	own.Username = text(s.ISCredentials.User)
	own.Password = desired.Password{Set: true, Value: desired.NewSecret(string(s.ISCredentials.Password), s.ISCredentials.Source)}
	return own
}

func text(value string) desired.Text { return desired.Text{Set: true, Value: value} }
