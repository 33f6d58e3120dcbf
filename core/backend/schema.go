package backend

// SchemaInstallParams asks for the tables, or for their newest version.
type SchemaInstallParams struct{}

// SchemaVerifyParams asks whether the tables are as this library expects.
type SchemaVerifyParams struct{}

// SchemaUninstallParams asks for the end of the tables and all that is in them.
type SchemaUninstallParams struct{}
