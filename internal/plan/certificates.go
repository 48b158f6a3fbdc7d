package plan

import (
	"strings"

	"wso2agent/internal/desired"
)

// CertificateDifferences compares an endpoint certificate with what the Publisher lists: alias and endpoint. want256 and have256 are the
// SHA-256 fingerprints of both certificates in DER, as hexadecimal digits: the server shows none, so the caller reads the content.
// To change the endpoint, the alias must be deleted and made again: an update replaces the certificate alone.
func CertificateDifferences(want desired.EndpointCertificate, have Object, want256, have256 string) []Difference {
	all := differences([]mapping{
		textRow("endpoint", "endpoint", "", func(c desired.EndpointCertificate) desired.Text { return c.Endpoint }),
	}, want, have)
	if !strings.EqualFold(want256, have256) {
		all = append(all, Difference{Path: "file", Have: have256, Want: want256})
	}
	return all
}

// RemakesCertificate reports whether differences need a certificate to be deleted and made again.
func RemakesCertificate(differences []Difference) bool {
	for _, d := range differences {
		if d.Path == "endpoint" {
			return true
		}
	}
	return false
}
