"""What the user wrote: the schema of a `WorkloadPolicy`, its parsing, its sources."""
