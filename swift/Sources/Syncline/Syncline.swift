// The engine and the boundary's types are generated; whoever imports Syncline gets them from here.
@_exported import SynclineGenerated
