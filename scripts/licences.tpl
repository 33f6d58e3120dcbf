What is linked into the C library of pgqrs beside its own code, and the licences of that.
Written by `make licences`; do not edit.
{{ range . }}{{ if ne .Name "github.com/pgqrs/pgqrs" }}
======== {{ .Name }} {{ .Version }} ({{ .LicenseName }})

{{ .LicenseText }}
{{ end }}{{ end }}
