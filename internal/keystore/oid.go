package keystore

// Object identifiers, as the bytes that stand in DER. The text behind each is its dotted form.
const (
	oidPKCS = "\x2a\x86\x48\x86\xf7\x0d\x01" // 1.2.840.113549.1

	oidData          = oidPKCS + "\x07\x01"
	oidSignedData    = oidPKCS + "\x07\x02"
	oidEnvelopedData = oidPKCS + "\x07\x03"
	oidEncryptedData = oidPKCS + "\x07\x06"

	oidBag         = oidPKCS + "\x0c\x0a\x01" // 1.2.840.113549.1.12.10.1, with one of these behind it
	bagKey         = 1
	bagShroudedKey = 2
	bagCertificate = 3
	bagSecret      = 5

	oidFriendlyName    = oidPKCS + "\x09\x14"
	oidLocalKeyID      = oidPKCS + "\x09\x15"
	oidX509Certificate = oidPKCS + "\x09\x16\x01"
	oidTrustedKeyUsage = "\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01" // 2.16.840.1.113894.746875.1.1, Java's own
	oidAnyKeyUsage     = "\x55\x1d\x25\x00"                                 // 2.5.29.37.0

	oidSubjectKeyID   = "\x55\x1d\x0e" // 2.5.29.14
	oidAuthorityKeyID = "\x55\x1d\x23" // 2.5.29.35

	oidPBE    = oidPKCS + "\x0c\x01" // 1.2.840.113549.1.12.1, with the algorithm of RFC 7292, appendix C behind it
	oidPBKDF2 = oidPKCS + "\x05\x0c"
	oidPBES2  = oidPKCS + "\x05\x0d"
	oidPBMAC1 = oidPKCS + "\x05\x0e"

	oidDigestPKCS = "\x2a\x86\x48\x86\xf7\x0d\x02"     // 1.2.840.113549.2: HMACs
	oidNISTHash   = "\x60\x86\x48\x01\x65\x03\x04\x02" // 2.16.840.1.101.3.4.2
	oidSHA1       = "\x2b\x0e\x03\x02\x1a"             // 1.3.14.3.2.26

	oidAES        = "\x60\x86\x48\x01\x65\x03\x04\x01" // 2.16.840.1.101.3.4.1
	oidDESEDE3CBC = "\x2a\x86\x48\x86\xf7\x0d\x03\x07" // 1.2.840.113549.3.7
)
