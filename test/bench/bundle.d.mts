export function bundleBenchmarks(folder: string): Promise<void>;
