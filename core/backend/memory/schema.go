package memory

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// SchemaInstall implements backend.SchemaBackend: there is nothing to install.
func (b *Backend) SchemaInstall(context.Context, *backend.SchemaInstallParams) error { return nil }

// SchemaVerify implements backend.SchemaBackend: nothing can be different.
func (b *Backend) SchemaVerify(context.Context, *backend.SchemaVerifyParams) ([]string, error) {
	return nil, nil
}

// SchemaUninstall implements backend.SchemaBackend: every queue is gone.
func (b *Backend) SchemaUninstall(ctx context.Context, _ *backend.SchemaUninstallParams) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	s := b.store
	clear(s.queues)
	clear(s.names)
	clear(s.workers)
	clear(s.messages)
	return nil
}
