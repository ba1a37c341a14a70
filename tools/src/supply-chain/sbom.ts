/** `npm run sbom [-- FILE]`: writes the bill of materials (CycloneDX 1.5, JSON), by default to bowline.cdx.json. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { billOfMaterials } from './bill-of-materials.ts';

const file = resolve(process.argv[2] ?? 'bowline.cdx.json');
const bom = billOfMaterials();
writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
console.log(`${file}: ${bom.components.length} components`);
