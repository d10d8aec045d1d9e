/** Sizes in bytes, for limits that are read by people. */
export const KiB = 1024;
export const MiB = 1024 * KiB;
