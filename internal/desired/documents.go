package desired

// Document is a document of an API.
type Document struct {
	Name       Text `yaml:"name" required:"true" form:"document" doc:"The name, without a slash and special characters such as ( ) + and the comma."`
	Type       Text `yaml:"type" enum:"HOWTO,SAMPLES,PUBLIC_FORUM,SUPPORT_FORUM,API_MESSAGE_FORMAT,OTHER" default:"HOWTO" doc:"The kind of document."`
	OtherType  Text `yaml:"other_type" alias:"other_type_name" form:"text255" doc:"What a document of type OTHER is."`
	Summary    Text `yaml:"summary" required:"true" form:"summary" doc:"What the document is about."`
	Visibility Text `yaml:"visibility" enum:"API_LEVEL,OWNER_ONLY,PRIVATE" default:"API_LEVEL" doc:"Who sees the document."`
	Format     Text `yaml:"format" enum:"INLINE,MARKDOWN" default:"INLINE" doc:"How the Developer Portal shows content."`
	Content    Text `yaml:"content" form:"content" doc:"The text of the document."`
	URL        Text `yaml:"url" form:"url" doc:"The address of the document."`
	File       Text `yaml:"file" form:"file" doc:"The file that the document is."`
}

// EndpointCertificate is a certificate that the gateway trusts at a backend.
type EndpointCertificate struct {
	Alias    Text `yaml:"alias" required:"true" form:"alias" doc:"The alias in the gateway's truststore."`
	Endpoint Text `yaml:"endpoint" required:"true" form:"url" doc:"The address of the backend."`
	File     Text `yaml:"file" required:"true" form:"file" doc:"The file with the certificate in PEM or DER."`
}
